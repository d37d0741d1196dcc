//! Measurement: [`study`], the one harness for every set of runs that is compared.

#![forbid(unsafe_code)]

pub mod study;
