//! The part of the weight that acts in each sample, and products that leave out the rest.
//!
//! Documents make blocks on the diagonal of the weight. A causal map adds a triangle: rows are then cut on a fixed
//! grid, and a piece of rows is the product with the columns left of it plus one with a copy of its square on the
//! diagonal, in which the upper half is zero.

use std::ops::Range;

use crate::cpu::{Matrix, Real, product};

/// Rows of a tile of a causal map: enough for a product to run at full speed, and few, as half of the square on the
/// diagonal is in vain.
pub(super) const TILE: usize = 64;

/// A block of the weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) rows: Range<usize>,
    pub(super) columns: Range<usize>,
}

impl Block {
    /// The same block of the transposed weight.
    pub(super) fn t(&self) -> Self {
        Block { rows: self.columns.clone(), columns: self.rows.clone() }
    }

    /// Those of its rows that lie in a range.
    pub(super) fn within(&self, rows: &Range<usize>) -> Self {
        let (start, end) = (self.rows.start.max(rows.start), self.rows.end.min(rows.end));
        Block { rows: start..end.max(start), columns: self.columns.clone() }
    }
}

/// The blocks of the weight that act in each of `batch` samples: the whole, or one a document.
pub(super) fn blocks(batch: usize, [m, n]: [usize; 2], segments: Option<&[u32]>) -> Vec<Vec<Block>> {
    match segments {
        None => vec![vec![Block { rows: 0..m, columns: 0..n }]; batch],
        Some(ids) => (0..batch).map(|b| documents(&ids[b * n..(b + 1) * n])).collect(),
    }
}

fn documents(ids: &[u32]) -> Vec<Block> {
    let mut start = 0;
    let document = |tokens: &[u32]| {
        let rows = start..start + tokens.len();
        start = rows.end;
        Block { columns: rows.clone(), rows }
    };
    ids.chunk_by(|a, b| a == b).map(document).collect()
}

/// Rows of the result of one sample that are made together.
pub(super) struct Piece {
    pub(super) sample: usize,
    pub(super) block: Block,
}

/// Cuts the blocks of every sample at the rows that are multiples of `size`.
pub(super) fn pieces(blocks: &[Vec<Block>], size: usize) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (sample, blocks) in blocks.iter().enumerate() {
        for block in blocks {
            let tiles = block.rows.start / size..block.rows.end.div_ceil(size);
            let cut = tiles.map(|tile| block.within(&(tile * size..(tile + 1) * size)));
            pieces.extend(cut.map(|block| Piece { sample, block }));
        }
    }
    pieces
}

/// The weight, with zeros above the diagonal if it is causal.
pub(super) struct Masked<'a, T> {
    weight: Matrix<'a, T>,
    /// The squares on the diagonal, one below the other, `[n, TILE]`.
    squares: Option<Vec<T>>,
}

impl<'a, T: Real> Masked<'a, T> {
    pub(super) fn new(weight: Matrix<'a, T>, causal: bool) -> Self {
        let squares = causal.then(|| {
            let mut squares = vec![T::ZERO; weight.size().0 * TILE];
            for (row, out) in squares.chunks_exact_mut(TILE).enumerate() {
                for (out, column) in out.iter_mut().zip(row / TILE * TILE..row + 1) {
                    *out = weight.at(row, column);
                }
            }
            squares
        });
        Masked { weight, squares }
    }

    /// `out ← W·x` for the rows and columns of a piece; `x` `[n, channels]` is a whole sample.
    pub(super) fn product(&self, out: &mut [T], block: &Block, x: Matrix<'_, T>, alone: bool) {
        let Block { rows, columns } = block.clone();
        let left = if self.squares.is_some() { columns.start..rows.start } else { columns };
        let square = self.square(&rows);
        self.products(out, square, self.weight.part(rows.clone(), left.clone()), x, [rows, left], alone);
    }

    /// `out ← Wᵀ·x` for the rows and columns of a piece of Wᵀ; `x` `[m, channels]` is a whole sample.
    pub(super) fn transposed_product(&self, out: &mut [T], block: &Block, x: Matrix<'_, T>, alone: bool) {
        let Block { rows, columns } = block.clone();
        let below = if self.squares.is_some() { rows.end..columns.end } else { columns };
        let square = self.square(&rows).map(Matrix::t);
        let rest = self.weight.part(below.clone(), rows.clone()).t();
        self.products(out, square, rest, x, [rows, below], alone);
    }

    /// The product of the square on the diagonal, if there is one, and that of the rest.
    fn products(
        &self,
        out: &mut [T],
        square: Option<Matrix<'_, T>>,
        rest: Matrix<'_, T>,
        x: Matrix<'_, T>,
        [here, others]: [Range<usize>; 2],
        alone: bool,
    ) {
        let channels = 0..x.size().1;
        let add = square.is_some();
        if let Some(square) = square {
            product(out, square, x.part(here, channels.clone()), T::ONE, false, alone);
        }
        product(out, rest, x.part(others, channels), T::ONE, add, alone);
    }

    /// The square of some rows of one tile, with zeros above the diagonal.
    fn square(&self, rows: &Range<usize>) -> Option<Matrix<'_, T>> {
        let squares = Matrix::new(self.squares.as_ref()?, self.weight.size().0, TILE);
        let start = rows.start / TILE * TILE;
        Some(squares.part(rows.clone(), rows.start - start..rows.end - start))
    }
}
