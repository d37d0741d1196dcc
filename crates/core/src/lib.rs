//! The ground every other crate stands on: keyed randomness, the choice of device and precision,
//! strict configuration, and errors that carry a hint.

#![forbid(unsafe_code)]

pub mod config;
mod device;
mod diagnose;
mod key;
mod philox;

pub use device::{DeviceChoice, Precision, UnknownDevice};
pub use diagnose::{Diagnose, ExitKind};
pub use key::{Key, Purpose, Stream, hash64};
pub use philox::{philox4x32_10, philox4x32_10_lanes};
