//! Which row of the data stands behind each sample of a run.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use mixlab_core::{Key, Purpose};

use crate::DataError;

/// The samples of a run, one endless sequence `n = 0, 1, …`, and the row behind each.
///
/// Step `s` takes the samples `s·batch·accumulation` onwards. An epoch is a fresh permutation of all
/// rows, keyed by the seed and its number, so that sample `n` is row `n mod rows` of the
/// permutation of epoch `⌊n / rows⌋`, whatever the size of a batch.
#[derive(Debug)]
pub(crate) struct Epochs {
    rows: usize,
    batch: usize,
    accumulation: usize,
    key: Key,
    /// The permutation used last: a memory of what is computed, never of what was asked.
    order: Mutex<Option<(u64, Arc<[usize]>)>>,
}

impl Epochs {
    /// Epochs of `rows` rows, at least one, in an order given by `seed`.
    ///
    /// # Errors
    /// When `batch` or `accumulation` is zero.
    pub fn new(rows: usize, batch: usize, accumulation: usize, seed: u64) -> Result<Self, DataError> {
        check_size("train.batch", batch)?;
        check_size("train.accumulation", accumulation)?;
        let key = Key::root(seed).purpose(Purpose::Order);
        Ok(Epochs { rows, batch, accumulation, key, order: Mutex::new(None) })
    }

    /// Rows in one epoch.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The samples of micro-batch `micro` of step `step`.
    pub fn samples(&self, step: u64, micro: usize) -> Range<u64> {
        let first = step * (self.batch * self.accumulation) as u64 + (micro * self.batch) as u64;
        first..first + self.batch as u64
    }

    /// The row behind a sample.
    pub fn row(&self, sample: u64) -> usize {
        let rows = self.rows as u64;
        self.order(sample / rows)[(sample % rows) as usize]
    }

    /// The key of the epoch of a sample.
    pub fn key(&self, sample: u64) -> Key {
        self.key.index(sample / self.rows as u64)
    }

    /// How often the rows have been gone through when `steps` steps are done.
    pub fn after(&self, steps: u64) -> f64 {
        steps as f64 * (self.batch * self.accumulation) as f64 / self.rows as f64
    }

    fn order(&self, epoch: u64) -> Arc<[usize]> {
        let mut cached = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, order)) = &*cached
            && *of == epoch
        {
            return Arc::clone(order);
        }
        let stream = self.key.index(epoch).site("permutation").sample(0);
        let order: Arc<[usize]> = stream.permutation(self.rows).into();
        *cached = Some((epoch, Arc::clone(&order)));
        order
    }
}

/// The rows of one evaluation batch out of `rows`, in order: row, sample id, and whether it counts.
/// What is missing in the last batch is its last row over again, which does not.
pub(crate) fn evaluation_rows(
    index: usize,
    batch: usize,
    rows: usize,
) -> impl Iterator<Item = (usize, u64, bool)> {
    (index * batch..(index + 1) * batch).map(move |row| (row.min(rows - 1), row as u64, row < rows))
}

pub(crate) fn check_size(key: &'static str, value: usize) -> Result<(), DataError> {
    if value == 0 {
        return Err(DataError::OutOfRange { key, value: "0".to_owned(), range: "at least 1".to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn epochs_are_shuffled_afresh() {
        let epochs = Epochs::new(9, 3, 2, 5).unwrap();
        assert_ne!(epochs.order(0), epochs.order(1));
        assert_ne!(epochs.order(0), Epochs::new(9, 3, 2, 6).unwrap().order(0));
        assert_eq!((epochs.after(3), epochs.rows()), (2.0, 9));
    }

    #[test]
    fn every_epoch_holds_every_row_once_whatever_the_batch() {
        let (small, large) = (Epochs::new(7, 1, 1, 1).unwrap(), Epochs::new(7, 4, 3, 1).unwrap());
        for epoch in 0..3 {
            let rows: Vec<usize> = (epoch * 7..(epoch + 1) * 7).map(|sample| small.row(sample)).collect();
            assert!((epoch * 7..(epoch + 1) * 7).map(|sample| large.row(sample)).eq(rows.iter().copied()));
            assert_eq!(rows.into_iter().collect::<BTreeSet<_>>(), (0..7).collect());
        }
        assert_eq!((large.samples(2, 0), large.samples(2, 2)), (24..28, 32..36));
    }

    #[test]
    fn an_evaluation_is_filled_up_with_its_last_row() {
        let rows: Vec<_> = (0..2).flat_map(|index| evaluation_rows(index, 2, 3)).collect();
        assert_eq!(rows, [(0, 0, true), (1, 1, true), (2, 2, true), (2, 3, false)]);
    }
}
