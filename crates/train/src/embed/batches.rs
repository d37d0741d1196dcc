//! Which texts share a batch, so that little of it is padding.

/// What rows of a batch must have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowLength {
    /// Nothing: shorter rows are padded to the longest.
    Longest,
    /// Their length: padding would change what the model says of a text.
    Equal,
    /// All rows are this long, whatever their texts.
    Fixed(usize),
}

/// Rows that go through the model together.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Batch {
    /// Their indices.
    pub rows: Vec<usize>,
    /// Positions of each, padding included.
    pub length: usize,
}

/// Batches of rows with these `lengths` in tokens, the shortest first. None has more than `tokens` positions, padding included,
/// unless it is a single row.
pub(super) fn batches(lengths: &[usize], tokens: usize, row_length: RowLength) -> Vec<Batch> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&row| lengths[row]);
    let mut batches: Vec<Batch> = Vec::new();
    for row in order {
        let length = match row_length {
            RowLength::Fixed(length) => length,
            RowLength::Longest | RowLength::Equal => lengths[row],
        };
        // Rows come by their length, so the next one is the longest so far.
        let joins = |batch: &Batch| {
            (batch.rows.len() + 1) * length <= tokens
                && (row_length != RowLength::Equal || batch.length == length)
        };
        match batches.last_mut() {
            Some(batch) if joins(batch) => {
                batch.rows.push(row);
                batch.length = length;
            }
            _ => batches.push(Batch { rows: vec![row], length }),
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(tokens: usize, row_length: RowLength) -> Vec<(Vec<usize>, usize)> {
        let batches = batches(&[5, 2, 9, 2, 3], tokens, row_length);
        batches.into_iter().map(|batch| (batch.rows, batch.length)).collect()
    }

    #[test]
    fn rows_of_like_length_share_a_batch_within_the_budget() {
        assert_eq!(shown(9, RowLength::Longest), [(vec![1, 3, 4], 3), (vec![0], 5), (vec![2], 9)]);
        assert_eq!(shown(45, RowLength::Longest), [(vec![1, 3, 4, 0, 2], 9)]);
    }

    #[test]
    fn a_row_beyond_the_budget_goes_alone() {
        assert_eq!(shown(0, RowLength::Longest).len(), 5);
        assert_eq!(shown(4, RowLength::Longest)[0], (vec![1, 3], 2));
    }

    #[test]
    fn rows_of_equal_or_fixed_length_need_no_other_padding() {
        let equal = [(vec![1, 3], 2), (vec![4], 3), (vec![0], 5), (vec![2], 9)];
        assert_eq!(shown(100, RowLength::Equal), equal);
        assert_eq!(shown(30, RowLength::Fixed(10)), [(vec![1, 3, 4], 10), (vec![0, 2], 10)]);
    }

    #[test]
    fn nothing_makes_no_batch() {
        assert_eq!(batches(&[], 10, RowLength::Longest), []);
    }
}
