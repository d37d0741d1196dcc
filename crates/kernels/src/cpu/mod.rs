//! What the CPU kernels share: the number types, vectorised elementary functions, run-time choice
//! of the instruction set, memory, the fixed split of work, and matrix products.
//!
//! Determinism: work is cut into blocks whose size does not depend on the number of threads, and
//! every sum is a fixed tree. The same inputs give the same bits on one thread and on many.

mod blocks;
mod level;
mod memory;
mod product;
mod real;
mod reduce;
mod rows;
mod single;
#[cfg(target_arch = "x86_64")]
mod squares;
mod transpose;
mod vectorised;

pub(crate) use blocks::{BLOCK, block_rows, for_blocks, for_blocks_with, sum_blocks};
pub(crate) use level::Level;
pub(crate) use memory::{
    contiguous, expand, indices, output, owned, primitive, serves, serves_untracked, slice, tensor, with_real,
};
pub(crate) use product::{Matrix, add_product, product, product_into, viewable};
pub(crate) use real::Real;
pub(crate) use reduce::{add_largest, largest, map_sum, sum, sum2};
pub(crate) use rows::{Rows, add_rows, with_rows};
pub(crate) use transpose::{ByRows, transpose};
pub(crate) use vectorised::vectorised;
