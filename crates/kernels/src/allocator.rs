//! A setting of the program's allocator; a library does not choose one, so this is a feature.

use libmimalloc_sys::{mi_option_set, mi_option_t, mi_option_use_numa_nodes};

/// Milliseconds until freed pages go back to the system, negative for never. The binding leaves this option out; in
/// `mimalloc.h` it is the one before the nodes. A test of the program counts page faults and would notice.
const PURGE_DELAY: mi_option_t = mi_option_use_numa_nodes - 1;

/// Keeps the pages of freed memory in the process.
///
/// The buffers of one update are those of the next. By default mimalloc gives free pages back after a while, and the
/// system clears them anew when they are touched: about a thousand page faults an update. The price is that the process
/// never shrinks below its peak before it ends.
pub fn keep_freed_pages() {
    // SAFETY: stores a number in the allocator's table of options; any value and any moment are allowed.
    unsafe { mi_option_set(PURGE_DELAY, -1) }
}
