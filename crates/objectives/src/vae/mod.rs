//! Variational auto-encoders of texts.

mod bessel;
mod loss;
mod posterior;
mod power_spherical;
mod quantiles;
mod sphere;
mod usage;
mod von_mises_fisher;

pub use bessel::{bessel_ratio, log_scaled_bessel};
pub use loss::{DivergenceWeight, TextVaeBatch, TextVaeLoss, text_vae_loss};
pub use posterior::{Drawn, LatentNoise, Posterior, PosteriorConfig, Sampler};
pub use power_spherical::PowerSpherical;
pub use usage::{ACTIVE, MeanSpread, MutualInformation, SATURATED, mutual_information};
pub use von_mises_fisher::VonMisesFisher;
