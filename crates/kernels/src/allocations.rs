//! Counting what a program has allocated, for as long as somebody asks.
//!
//! Resident memory says nothing about a single forward pass: an allocator keeps freed pages, so that whatever ran
//! before is part of it. Requested bytes are exact, the same on every system and, up to the scratch memory of threads,
//! in every run.

use std::alloc::{GlobalAlloc, Layout};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whether a count is open. An allocator has no other way to know: it is called without context, from every thread.
static OPEN: AtomicBool = AtomicBool::new(false);
/// Bytes allocated less bytes freed since the count was opened.
static HELD: AtomicIsize = AtomicIsize::new(0);
/// The most that `HELD` has been.
static PEAK: AtomicIsize = AtomicIsize::new(0);
/// Taken by whoever counts.
static TURN: Mutex<()> = Mutex::new(());

/// An allocator that passes everything on and counts while an [`AllocationCount`] is open. Without one, an allocation
/// costs a look at a flag more.
#[derive(Debug)]
pub struct CountingAllocator<A>(A);

impl<A> CountingAllocator<A> {
    /// Around the allocator that does the work.
    pub const fn new(inner: A) -> Self {
        CountingAllocator(inner)
    }
}

// SAFETY: every call goes to the inner allocator with the arguments it came with, and its result is returned; counting
// neither allocates nor unwinds.
unsafe impl<A: GlobalAlloc> GlobalAlloc for CountingAllocator<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those of the inner allocator.
        let block = unsafe { self.0.alloc(layout) };
        count(block, layout.size() as isize);
        block
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `alloc`.
        let block = unsafe { self.0.alloc_zeroed(layout) };
        count(block, layout.size() as isize);
        block
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as in `alloc`.
        let block = unsafe { self.0.realloc(block, layout, size) };
        count(block, size as isize - layout.size() as isize);
        block
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as in `alloc`.
        unsafe { self.0.dealloc(block, layout) };
        count(block, -(layout.size() as isize));
    }
}

/// Enters a change of size, unless nobody counts or nothing was allocated.
#[inline]
fn count(block: *mut u8, change: isize) {
    if OPEN.load(Relaxed) && !block.is_null() {
        let held = HELD.fetch_add(change, Relaxed) + change;
        PEAK.fetch_max(held, Relaxed);
    }
}

/// An open count of the whole process. What is freed counts whenever it was allocated, so that bytes held may be
/// negative. There is one at a time: a second one waits for the first to be dropped.
#[derive(Debug)]
pub struct AllocationCount {
    _turn: MutexGuard<'static, ()>,
}

impl AllocationCount {
    /// Starts at zero; `None` if the program's allocator is not a [`CountingAllocator`].
    pub fn open() -> Option<Self> {
        let count = AllocationCount { _turn: TURN.lock().unwrap_or_else(PoisonError::into_inner) };
        let clear = || [&HELD, &PEAK].map(|counter| counter.store(0, Relaxed));
        clear();
        OPEN.store(true, Relaxed);
        // Seen only by the allocator of the program, whichever that is.
        drop(black_box(Box::new(0u8)));
        let counts = PEAK.load(Relaxed) > 0;
        clear();
        counts.then_some(count)
    }

    /// Bytes allocated less bytes freed since it was opened.
    pub fn held(&self) -> isize {
        HELD.load(Relaxed)
    }

    /// The most that was held at any moment since it was opened.
    pub fn peak(&self) -> isize {
        PEAK.load(Relaxed)
    }
}

impl Drop for AllocationCount {
    fn drop(&mut self) {
        OPEN.store(false, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_allocator_gives_no_count() {
        assert!(AllocationCount::open().is_none());
        assert!(!OPEN.load(Relaxed), "and it is closed again");
    }
}
