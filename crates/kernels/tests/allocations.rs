//! The count of allocations. A binary of its own with one test: it counts the whole process.

use std::alloc::System;
use std::hint::black_box;

use mixlab_kernels::{AllocationCount, CountingAllocator};

#[global_allocator]
static ALLOCATOR: CountingAllocator<System> = CountingAllocator::new(System);

#[test]
fn bytes_are_counted_while_a_count_is_open() {
    let before = black_box(vec![0u8; 1000]);
    let count = AllocationCount::open().expect("the allocator counts");
    assert_eq!((count.held(), count.peak()), (0, 0));

    let mut vector: Vec<u8> = black_box(Vec::with_capacity(5000));
    assert_eq!((count.held(), count.peak()), (5000, 5000));
    vector.reserve_exact(black_box(7000));
    assert_eq!((count.held(), count.peak()), (7000, 7000), "grown, not made anew");
    drop(black_box(vector));
    let zeros = black_box(vec![0u64; 100]);
    assert_eq!((count.held(), count.peak()), (800, 7000));
    drop(before);
    assert_eq!(count.held(), -200, "what was there before counts when it is freed");
    std::thread::scope(|scope| {
        scope.spawn(|| drop(black_box(vec![0u8; 1 << 20])));
    });
    assert!(count.peak() > 1 << 19, "every thread counts: {}", count.peak());
    drop(count);

    let count = AllocationCount::open().expect("the allocator still counts");
    assert_eq!((count.held(), count.peak()), (0, 0));
    drop(zeros);
    assert_eq!(count.held(), -800);
}
