//! Variational auto-encoders of texts.

mod annealing;
mod bessel;
mod evidence;
mod loss;
mod posterior;
mod power_spherical;
mod quantiles;
mod reference;
mod sphere;
mod usage;
mod von_mises_fisher;

pub use annealing::{AnnealingConfig, ConcentrationAnnealingConfig};
pub use bessel::{bessel_ratio, log_scaled_bessel};
pub use evidence::{Evidence, evidence, log_likelihood, log_mean_exp};
pub use loss::{
    DivergenceWeight, Draws, Filling, TextVaeBatch, TextVaeLoss, draw_latents, reconstruction_loss,
    text_vae_loss,
};
pub use posterior::{Drawn, LatentNoise, Posterior, PosteriorConfig, Sampler};
pub use power_spherical::PowerSpherical;
pub use reference::reference_text_vae_loss;
pub use usage::{ACTIVE, MeanSpread, MutualInformation, SATURATED, mutual_information};
pub use von_mises_fisher::VonMisesFisher;
