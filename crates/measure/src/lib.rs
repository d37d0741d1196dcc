//! Measurement: [`study`], the one harness for every set of runs that is compared; [`step`], the time of one
//! update; [`cost`], the arithmetic in it.

#![forbid(unsafe_code)]

pub mod cost;
mod memory;
pub mod step;
pub mod study;

pub use memory::peak_memory_mib;
