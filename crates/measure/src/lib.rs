//! Measurement: [`study`], the one harness for every set of runs that is compared; [`step`], the time of one
//! update; [`decode`], that of one more token; [`cost`], the arithmetic in an update.

#![forbid(unsafe_code)]

pub mod cost;
pub mod decode;
mod memory;
pub mod step;
pub mod study;

pub use memory::peak_memory_mib;
