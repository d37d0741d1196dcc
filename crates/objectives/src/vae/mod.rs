//! Variational auto-encoders of texts.

mod bessel;
mod power_spherical;
mod sphere;
mod von_mises_fisher;

pub use bessel::{bessel_ratio, log_scaled_bessel};
pub use power_spherical::PowerSpherical;
pub use von_mises_fisher::VonMisesFisher;
