//! Where rows stand.

/// Positions of consecutive rows of a sequence, from row `start` on.
///
/// Row 0 stands at position 0, and every row behind it `gap` further than its number says: a text that reads something in front
/// of itself can keep a distance from it. Without a gap a row's number is its position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Positions {
    /// Number of the first row.
    pub start: usize,
    /// Positions that are left out behind row 0.
    pub gap: usize,
}

impl Positions {
    /// Position of row `index`, counted from the first.
    pub fn at(&self, index: usize) -> usize {
        match self.start + index {
            0 => 0,
            row => row + self.gap,
        }
    }
}

impl From<usize> for Positions {
    fn from(start: usize) -> Self {
        Positions { start, gap: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::Positions;

    #[test]
    fn a_gap_is_behind_the_first_row_of_all() {
        let at = |positions: Positions| [0, 1, 2].map(|index| positions.at(index));
        assert_eq!(at(5.into()), [5, 6, 7]);
        assert_eq!(at(Positions { start: 0, gap: 9 }), [0, 10, 11]);
        assert_eq!(at(Positions { start: 2, gap: 9 }), [11, 12, 13]);
    }
}
