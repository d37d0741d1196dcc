//! The machinery under the attention kernels of the CPU: products of matrix tiles, row loops, and two
//! engines made of them.
//!
//! * `forward` and `backward`: a weight for every visible (query, key) pair, a tile at a time; nothing of
//!   size queries × keys is ever held.
//! * `scan`: products of queries with sums of key–value products, carried from chunk to chunk.
//!
//! Softmax and score attention are the first engine; linear and mixed chunk attention are the first
//! inside a chunk plus the second between chunks. Work is cut by shapes alone and every sum has one
//! order, so that the bits do not depend on the number of threads.

mod backward;
#[cfg(test)]
pub(crate) mod cases;
mod dropout;
mod forward;
mod heads;
mod matrix;
mod scan;
mod turned;
mod vector;
mod visible;
mod weight;

pub(crate) use backward::{PairGradients, pair_gradients};
pub(crate) use forward::{Bias, Pairs, pair_products};
pub(crate) use heads::{Heads, readable};
pub(crate) use scan::{Piece, Scan, ScanGradients, pieces};
pub(crate) use vector::{dot, scale};
pub(crate) use visible::{Visible, Window};
pub(crate) use weight::Weight;
