//! Which rows of a set are the same thing, so that none of them is taken for a negative of another.

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_64;

use super::ContrastiveTexts;

/// A number for every text of every column. Rows that share their anchor or their positive are one thing; a hard negative is
/// the thing whose positive it is, or one of its own.
pub(super) fn identities(texts: &ContrastiveTexts) -> Vec<Vec<u64>> {
    let hashes: Vec<Vec<u64>> = texts
        .columns
        .iter()
        .map(|column| column.iter().map(|text| xxh3_64(text.as_bytes())).collect())
        .collect();
    let rows = texts.len();
    let mut things = Things { parent: (0..rows).collect() };
    // Anchors and positives are texts of different kinds: the same words in both columns do not join them.
    for column in hashes.iter().take(2) {
        let mut first: HashMap<u64, usize> = HashMap::new();
        for (row, &hash) in column.iter().enumerate() {
            let other = *first.entry(hash).or_insert(row);
            things.join(row, other);
        }
    }
    let of_row: Vec<u64> = (0..rows).map(|row| things.root(row) as u64).collect();
    let of_positive: HashMap<u64, u64> =
        hashes.get(1).into_iter().flatten().copied().zip(of_row.iter().copied()).collect();
    hashes
        .iter()
        .enumerate()
        .map(|(column, hashes)| match column {
            0 | 1 => of_row.clone(),
            // Rows are fewer than 2³², so that the upper half tells hashes from rows.
            _ => hashes.iter().map(|hash| *of_positive.get(hash).unwrap_or(&(hash | 1 << 63))).collect(),
        })
        .collect()
}

/// Disjoint sets of rows.
struct Things {
    parent: Vec<usize>,
}

impl Things {
    fn root(&mut self, row: usize) -> usize {
        let mut root = row;
        while self.parent[root] != root {
            root = self.parent[root];
        }
        let mut at = row;
        while self.parent[at] != root {
            at = std::mem::replace(&mut self.parent[at], root);
        }
        root
    }

    /// The smaller root stays, so that numbers do not depend on the order of joining.
    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.parent[a.max(b)] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_texts_join_rows_and_hard_negatives_are_recognised() {
        let column = |texts: &[&str]| texts.iter().copied().collect();
        let texts = ContrastiveTexts {
            columns: vec![
                column(&["a", "b", "a", "c", "d"]),
                column(&["x", "y", "z", "z", "a"]),
                column(&["y", "q", "z", "q", "r"]),
            ],
            labels: None,
        };
        let all = identities(&texts);
        // Rows 0 and 2 share an anchor, 2 and 3 a positive; "a" as a positive is no anchor.
        assert_eq!((&all[0], &all[1]), (&vec![0, 1, 0, 0, 4], &vec![0, 1, 0, 0, 4]));
        assert_eq!((all[2][0], all[2][2]), (1, 0));
        assert!(all[2][1] == all[2][3] && all[2][1] != all[2][4] && all[2][1] >= 1 << 63);
    }
}
