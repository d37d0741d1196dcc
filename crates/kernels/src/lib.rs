//! Fused tensor operations. Each has a portable definition in plain tensor operations, which is its
//! meaning on every device, and may have a CPU kernel that must equal it in value and gradient.
//!
//! This is the only crate that may contain `unsafe`, SIMD or knowledge of a particular back end.

mod activation;
mod cross_entropy;
mod dropout;
mod embedding;
mod gated;
mod linear;
mod mask;
mod norm;
mod rotary;

pub use activation::{Activation, activation};
pub use cross_entropy::cross_entropy;
pub use dropout::{Dropout, dropout};
pub use embedding::embedding;
pub use gated::{gated_product, glu};
pub use linear::linear;
pub use mask::Mask;
pub use norm::{NormKind, add_norm, norm};
pub use rotary::{RotaryLayout, rotary};
