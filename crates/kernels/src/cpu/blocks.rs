//! The split of work over threads.

use rayon::prelude::*;

use super::Real;

/// Numbers in a block of element-wise work: large against the cost of handing a block to a thread, small
/// against the cache of a core.
pub(crate) const BLOCK: usize = 1 << 14;

/// Rows in a block of work over rows of `width` numbers.
pub(crate) fn block_rows(width: usize) -> usize {
    (BLOCK / width.max(1)).max(1)
}

/// Cuts `out` into blocks of `size` numbers and calls `work(start, block)` on each, in parallel.
pub(crate) fn for_blocks<T: Send>(out: &mut [T], size: usize, work: impl Fn(usize, &mut [T]) + Sync + Send) {
    // One block does not pay for waking the thread pool.
    if out.len() <= size {
        if !out.is_empty() {
            work(0, out);
        }
        return;
    }
    out.par_chunks_mut(size).enumerate().for_each(|(i, block)| work(i * size, block));
}

/// [`for_blocks`] with a second output that holds `share` numbers for every block, such as its partial sums.
pub(crate) fn for_blocks_with<T: Send, U: Send>(
    out: &mut [T],
    size: usize,
    partial: &mut [U],
    share: usize,
    work: impl Fn(usize, &mut [T], &mut [U]) + Sync + Send,
) {
    if out.len() <= size {
        if !out.is_empty() {
            work(0, out, partial);
        }
        return;
    }
    let blocks = out.par_chunks_mut(size).zip(partial.par_chunks_mut(share)).enumerate();
    blocks.for_each(|(i, (block, partial))| work(i * size, block, partial));
}

/// Adds partial results of `width` numbers each, in the order of the blocks.
pub(crate) fn sum_blocks<T: Real>(partial: &[T], width: usize) -> Vec<T> {
    let mut total = vec![T::ZERO; width];
    for block in partial.chunks_exact(width.max(1)) {
        for (total, &part) in total.iter_mut().zip(block) {
            *total += part;
        }
    }
    total
}
