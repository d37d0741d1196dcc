//! What latents of a text VAE look like, and what each of them carries.

mod factors;
mod map;
mod principal;

pub use factors::{FactorReport, FactorShares, FactorsOptions, measure_factors};
pub use map::{MapLabels, latent_map};
