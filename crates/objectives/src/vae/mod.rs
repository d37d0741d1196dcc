//! Variational auto-encoders of texts.

mod bessel;
mod posterior;
mod power_spherical;
mod quantiles;
mod sphere;
mod von_mises_fisher;

pub use bessel::{bessel_ratio, log_scaled_bessel};
pub use posterior::{Drawn, LatentNoise, Posterior, PosteriorConfig, Sampler};
pub use power_spherical::PowerSpherical;
pub use von_mises_fisher::VonMisesFisher;
