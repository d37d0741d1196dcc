//! Products of queries with sums of key–value products: the part of linear attention between chunks.
//!
//! The sequence is cut into pieces at the ends of chunks and of documents. A query reads the state of its
//! piece, `S = Σ k_jᵀ v_j`: over the earlier pieces of its document when causal, over the whole document
//! otherwise. One task walks along the pieces with one state, so memory does not grow with the length.

use std::ops::Range;

use rayon::prelude::*;

use super::backward::add_copies;
use super::heads::{Heads, HeadsMut};
use super::matrix::{Into, MatrixMut, product};
use super::visible::Visible;
use crate::cpu::{Matrix, Real, output, transpose};

/// Tasks to aim at when batch and heads alone give fewer.
const TASKS: usize = 8;
/// Fewest columns of the values worth a task.
const COLUMNS: usize = 64;

/// Neighbouring positions of one chunk and one document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Piece {
    pub(crate) positions: Range<usize>,
    /// Whether a document starts with this piece.
    pub(crate) first: bool,
    /// Real keys in the state that the piece reads.
    pub(crate) seen: usize,
}

/// The pieces of row `b`; without `chunk` every document is one piece that reads its own state.
pub(crate) fn pieces(visible: &Visible<'_>, b: usize, chunk: Option<usize>) -> Vec<Piece> {
    let n = visible.geometry.keys;
    let mut pieces = Vec::<Piece>::new();
    let mut start = 0;
    while start < n {
        let document = visible.documents(b).map_or(0..n, |documents| documents[start].clone());
        let end = chunk.map_or(document.end, |chunk| document.end.min(start / chunk * chunk + chunk));
        let covered = if chunk.is_some() { document.start..start } else { document.clone() };
        let first = start == document.start;
        let seen = covered.filter(|&j| is_real(visible, b, j)).count();
        pieces.push(Piece { positions: start..end, first, seen });
        start = end;
    }
    pieces
}

fn is_real(visible: &Visible<'_>, b: usize, position: usize) -> bool {
    visible.real(b).contains(&position) && visible.holes(b).is_none_or(|real| real[position])
}

/// One operation: `out_i = factor(piece) · q_i · S(piece)`.
pub(crate) struct Scan<'a, T> {
    pub(crate) q: Heads<'a, T>,
    pub(crate) k: Heads<'a, T>,
    pub(crate) v: Heads<'a, T>,
    pub(crate) visible: &'a Visible<'a>,
    /// Pieces of each row of the batch.
    pub(crate) pieces: Vec<Vec<Piece>>,
    /// Whether a piece reads the state of earlier pieces only.
    pub(crate) causal: bool,
    /// The divisor of a piece's products by the number of keys they sum.
    pub(crate) factor: &'a (dyn Fn(&Piece) -> T + Sync),
}

/// Where the gradients of a [`Scan`] are added.
pub(crate) struct ScanGradients<'a, T> {
    pub(crate) q: &'a mut [T],
    pub(crate) k: &'a mut [T],
    pub(crate) v: &'a mut [T],
}

impl<T: Real> Scan<'_, T> {
    /// Adds the products to `out` `[batch, n, heads, dv]`.
    pub(crate) fn add_products(&self, out: &mut [T]) {
        let out = HeadsMut::new(out, self.v.shape);
        self.for_each_task(|task| {
            let mut state = State::new(self.k.shape[3], task.columns.len());
            self.forward(&task, &mut state, |piece, state| {
                // SAFETY: each task has its own (b, head, columns).
                let mut out =
                    unsafe { out.block(task.b, task.head, piece.positions.clone(), task.columns.clone()) };
                let q = self.q.rows(task.b, task.head, piece.positions.clone());
                product(&mut out, Into::Add, (self.factor)(piece), q, state.matrix());
            });
        });
    }

    /// Adds the gradients for an upstream gradient `[batch, n, heads, dv]`.
    pub(crate) fn add_gradients(&self, upstream: Heads<'_, T>, into: ScanGradients<'_, T>) {
        let [batch, n, heads, d] = self.q.shape;
        let blocks = self.column_blocks().len();
        // Queries and keys get a share from each block of columns: each block has its own copy.
        let mut q = vec![T::ZERO; blocks * batch * n * heads * d];
        let mut k = vec![T::ZERO; blocks * batch * n * heads * d];
        let (dq, dk) = (
            HeadsMut::new(&mut q, [blocks * batch, n, heads, d]),
            HeadsMut::new(&mut k, [blocks * batch, n, heads, d]),
        );
        let dv = HeadsMut::new(into.v, self.v.shape);
        self.for_each_task(|task| {
            let copy = task.block * batch + task.b;
            let mut state = State::new(d, task.columns.len());
            let upstream = |piece: &Piece| {
                upstream.block(task.b, task.head, piece.positions.clone(), task.columns.clone())
            };
            let mut turned = output(d * task.columns.len());
            self.forward(&task, &mut state, |piece, state| {
                // SAFETY: each task has its own (copy, head).
                let mut dq = unsafe { dq.rows(copy, task.head, piece.positions.clone()) };
                let state = state.turned(&mut turned);
                product(&mut dq, Into::Add, (self.factor)(piece), upstream(piece), state);
            });
            self.backward(&task, &mut state, upstream, |piece, state, scratch| {
                // SAFETY: each task has its own (copy, head) of the keys and (b, head, columns) of the values.
                let (mut dk, mut dv) = unsafe {
                    (
                        dk.rows(copy, task.head, piece.positions.clone()),
                        dv.block(task.b, task.head, piece.positions.clone(), task.columns.clone()),
                    )
                };
                product(&mut dk, Into::Add, T::ONE, self.values(&task, piece), state.turned(&mut turned));
                self.clear_padding(task.b, piece, &mut dk);
                product(&mut dv, Into::Add, T::ONE, self.keys(&task, piece, scratch), state.matrix());
            });
        });
        add_copies(into.q, &q);
        add_copies(into.k, &k);
    }

    /// Calls `visit` for every piece with the state it reads.
    fn forward(&self, task: &Task, state: &mut State<T>, mut visit: impl FnMut(&Piece, &State<T>)) {
        let pieces = &self.pieces[task.b];
        let mut scratch = Vec::new();
        for (index, piece) in pieces.iter().enumerate() {
            if piece.first {
                state.reset();
            }
            let carried = pieces.get(index + 1).is_some_and(|next| !next.first);
            if self.causal && !piece.first {
                visit(piece, state);
            }
            if !self.causal || carried {
                let k = self.keys(task, piece, &mut scratch).t();
                state.add(T::ONE, k, self.values(task, piece));
            }
            if !self.causal {
                visit(piece, state);
            }
        }
    }

    /// Calls `visit` for every piece whose keys entered a state that was read, with that state's gradient.
    fn backward<'u>(
        &self,
        task: &Task,
        state: &mut State<T>,
        upstream: impl Fn(&Piece) -> Matrix<'u, T>,
        mut visit: impl FnMut(&Piece, &State<T>, &mut Vec<T>),
    ) where
        T: 'u,
    {
        let pieces = &self.pieces[task.b];
        let mut scratch = Vec::new();
        for (index, piece) in pieces.iter().enumerate().rev() {
            let last = pieces.get(index + 1).is_none_or(|next| next.first);
            if last {
                state.reset();
            }
            if self.causal && !last {
                visit(piece, state, &mut scratch);
            }
            if !self.causal || !piece.first {
                let q = self.q.rows(task.b, task.head, piece.positions.clone()).t();
                state.add((self.factor)(piece), q, upstream(piece));
            }
            if !self.causal {
                visit(piece, state, &mut scratch);
            }
        }
    }

    /// The keys of a piece, those that are not real set to zero.
    fn keys<'s>(&'s self, task: &Task, piece: &Piece, scratch: &'s mut Vec<T>) -> Matrix<'s, T> {
        let positions = piece.positions.clone();
        if positions.clone().all(|j| is_real(self.visible, task.b, j)) {
            return self.k.rows(task.b, task.head, positions);
        }
        let d = self.k.shape[3];
        scratch.clear();
        scratch.resize(positions.len() * d, T::ZERO);
        for (row, j) in scratch.chunks_exact_mut(d).zip(positions.clone()) {
            if is_real(self.visible, task.b, j) {
                row.copy_from_slice(self.k.row(task.b, task.head, j));
            }
        }
        Matrix::new(scratch, positions.len(), d)
    }

    fn values(&self, task: &Task, piece: &Piece) -> Matrix<'_, T> {
        self.v.block(task.b, task.head, piece.positions.clone(), task.columns.clone())
    }

    fn clear_padding(&self, b: usize, piece: &Piece, keys: &mut MatrixMut<'_, T>) {
        for (row, j) in piece.positions.clone().enumerate() {
            if !is_real(self.visible, b, j) {
                keys.row(row).fill(T::ZERO);
            }
        }
    }

    /// Blocks of the values' columns, each of which can be computed by itself; a function of shapes alone.
    fn column_blocks(&self) -> Vec<Range<usize>> {
        let [batch, _, heads, width] = self.v.shape;
        let wanted = TASKS.div_ceil((batch * heads).max(1)).min(width / COLUMNS).max(1);
        let size = width.div_ceil(wanted).max(1);
        (0..width).step_by(size).map(|start| start..(start + size).min(width)).collect()
    }

    fn for_each_task(&self, run: impl Fn(Task) + Sync) {
        let [batch, _, heads, _] = self.v.shape;
        let blocks = self.column_blocks();
        (0..batch * heads * blocks.len()).into_par_iter().with_max_len(1).for_each(|index| {
            let block = index % blocks.len();
            let (b, head) = (index / blocks.len() / heads, index / blocks.len() % heads);
            run(Task { b, head, block, columns: blocks[block].clone() });
        });
    }
}

struct Task {
    b: usize,
    head: usize,
    block: usize,
    columns: Range<usize>,
}

/// A sum of outer products, `[d, columns]`.
struct State<T> {
    memory: Vec<T>,
    rows: usize,
    columns: usize,
}

impl<T: Real> State<T> {
    fn new(rows: usize, columns: usize) -> Self {
        State { memory: vec![T::ZERO; rows * columns], rows, columns }
    }

    fn reset(&mut self) {
        self.memory.fill(T::ZERO);
    }

    fn matrix(&self) -> Matrix<'_, T> {
        Matrix::new(&self.memory, self.rows, self.columns)
    }

    /// The transpose, row after row in `memory`.
    fn turned<'m>(&self, memory: &'m mut [T]) -> Matrix<'m, T> {
        transpose(self.matrix(), memory, self.rows);
        Matrix::new(memory, self.columns, self.rows)
    }

    fn add(&mut self, factor: T, left: Matrix<'_, T>, right: Matrix<'_, T>) {
        let mut matrix = MatrixMut::new(&mut self.memory, self.rows, self.columns, self.columns);
        product(&mut matrix, Into::Add, factor, left, right);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::{Geometry, Mask};
    use crate::tiled::Window;

    #[test]
    fn pieces_end_with_chunks_and_documents() {
        let padding = [1, 1, 0, 1, 1, 1, 1, 0].map(|real| real == 1);
        let mask = Mask { padding: Some(padding.into()), segments: Some([4, 4, 4, 4, 4, 9, 9, 9].into()) };
        let geometry = Geometry { batch: 1, queries: 8, keys: 8, causal: true };
        let visible = Visible::new(geometry, Window::All, &mask);
        let piece = |positions, first, seen| Piece { positions, first, seen };
        let causal =
            [piece(0..3, true, 0), piece(3..5, false, 2), piece(5..6, true, 0), piece(6..8, false, 1)];
        assert_eq!(pieces(&visible, 0, Some(3)), causal);
        assert_eq!(pieces(&visible, 0, None), [piece(0..5, true, 4), piece(5..8, true, 2)]);
    }
}
