//! From the logits of some rows to their losses and the gradients of the logits.

use rayon::prelude::*;

use crate::cpu::{Real, add_largest, block_rows, largest, map_sum, vectorised};

/// A row that counts.
#[derive(Clone, Copy)]
pub(super) struct Row<T> {
    /// Its place among all rows.
    pub index: usize,
    pub target: usize,
    pub weight: T,
}

/// Fewest rows of a group: each writes a vector of the vocabulary for its sums, which must stay small beside its logits.
const FEWEST: usize = 32;

/// Turns logits without bias into `weight · (softmax − onehot(target))`, in place. Returns the weighted loss
/// and, if asked, the sums of groups of rows of the result, a vector of the vocabulary for each group.
pub(super) fn soft_targets<T: Real>(
    logits: &mut [T],
    bias: Option<&[T]>,
    rows: &[Row<T>],
    sum_rows: bool,
) -> (f64, Vec<T>) {
    let vocabulary = logits.len() / rows.len().max(1);
    let group = block_rows(vocabulary).max(FEWEST);
    let groups = rows.len().div_ceil(group);
    let mut sums = vec![T::ZERO; if sum_rows { groups * vocabulary } else { 0 }];
    let mut totals: Vec<&mut [T]> = sums.chunks_mut(vocabulary.max(1)).collect();
    totals.resize_with(groups, Default::default);
    let losses: Vec<f64> = logits
        .par_chunks_mut(group * vocabulary)
        .zip(rows.par_chunks(group))
        .zip(totals)
        .map(|((logits, rows), total)| {
            let mut loss = 0.0;
            for (logits, row) in logits.chunks_exact_mut(vocabulary).zip(rows) {
                loss += soft_target(logits, bias.unwrap_or(&[]), row, total);
            }
            loss
        })
        .collect();
    (losses.iter().sum(), sums)
}

vectorised! {
    /// One row. An empty bias is none, an empty total is not added to.
    fn soft_target<T: Real>(logits: &mut [T], bias: &[T], row: &Row<T>, total: &mut [T]) -> f64 {
        let highest = if bias.is_empty() { largest(logits) } else { add_largest(logits, bias) };
        let target = logits[row.target];
        let mass = map_sum(logits, |logit| (logit - highest).exp());
        let factor = row.weight / mass;
        let negligible = T::NEGLIGIBLE * mass;
        // Denormal numbers would slow the products that follow a hundredfold.
        let share = |x: T| if x < negligible { T::ZERO } else { x * factor };
        if let Some(total) = total.get_mut(row.target) {
            *total += -row.weight;
        }
        if total.is_empty() {
            for x in logits.iter_mut() {
                *x = share(*x);
            }
        } else {
            for (x, total) in logits.iter_mut().zip(total) {
                *x = share(*x);
                *total += *x;
            }
        }
        logits[row.target] = logits[row.target] - row.weight;
        row.weight.wide() * (mass.wide().ln() + highest.wide() - target.wide())
    }
}
