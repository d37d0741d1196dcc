//! The pool of a process is made once, so that this is a process of its own.

use mixlab_train::set_threads;
use rayon::prelude::*;

#[test]
fn the_calling_thread_is_one_of_the_pool() {
    assert!(set_threads(2), "nothing has been computed yet");
    assert_eq!(rayon::current_num_threads(), 2);
    assert_eq!(rayon::current_thread_index(), Some(0), "it would sleep while others compute");
    assert_eq!((0..1000u64).into_par_iter().sum::<u64>(), 499_500);
    assert!(!set_threads(1), "a pool is there");
    assert_eq!(rayon::current_num_threads(), 2);
}
