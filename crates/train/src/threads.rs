//! The number of threads a process computes on.

/// Sets the number of threads for the whole process; 0 takes one for each core. It can be set once,
/// before anything is computed; whether it could be set is the result.
pub fn set_threads(threads: usize) -> bool {
    threads == 0 || rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().is_ok()
}
