//! The number of threads a process computes on.

/// Sets the number of threads for the whole process; 0 takes one for each core. It can be set once,
/// before anything is computed; whether it could be set is the result.
///
/// The calling thread is one of them: were it not, it would sleep during every operation and be
/// woken after it, which takes longer than a small operation itself. No other thread may compute
/// while the calling one waits for it.
pub fn set_threads(threads: usize) -> bool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).use_current_thread().build_global().is_ok()
}
