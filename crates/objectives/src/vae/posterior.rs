//! What is known of a latent when its text has been read, and a draw of it.

use burn::tensor::{Tensor, TensorData};
use mixlab_core::Key;
use mixlab_nn::latent::PosteriorInput;
use mixlab_nn::unit_length;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::quantiles::Quantiles;
use super::sphere::gaussian;
use super::{PowerSpherical, VonMisesFisher};

/// The posterior of a latent. Its prior is uniform on the sphere, or the standard normal distribution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PosteriorConfig {
    /// Von Mises–Fisher around a learned direction. Its divergence from the prior is a constant, so that it cannot vanish.
    VonMisesFisher {
        /// κ, above 0.
        #[serde(default = "default_concentration")]
        concentration: f64,
        /// How cosines are drawn.
        #[serde(default)]
        sampler: Sampler,
    },
    /// Power spherical around a learned direction: the same with draws in closed form.
    PowerSpherical {
        /// κ, above 0.
        #[serde(default = "default_concentration")]
        concentration: f64,
    },
    /// Independent normal numbers with learned means and variances.
    Gaussian {
        /// γ of BN-VAE, above 0: means have this deviation over the texts of a batch, so that half its square is the least divergence of
        /// each number from the prior. Absent: means are as the encoder gives them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        batch_norm: Option<f64>,
    },
}

/// How cosines of a von Mises–Fisher distribution are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sampler {
    /// By rejection, exactly.
    #[default]
    Rejection,
    /// From a table of the inverse distribution function with 4,096 nodes.
    Table,
}

fn default_concentration() -> f64 {
    32.0
}

impl Default for PosteriorConfig {
    fn default() -> Self {
        PosteriorConfig::VonMisesFisher {
            concentration: default_concentration(),
            sampler: Sampler::default(),
        }
    }
}

impl PosteriorConfig {
    /// The plain Gaussian.
    pub const GAUSSIAN: Self = PosteriorConfig::Gaussian { batch_norm: None };

    /// What the posterior of a latent of `width` numbers is made of.
    pub fn input(&self, width: usize) -> PosteriorInput {
        match *self {
            PosteriorConfig::Gaussian { batch_norm } => {
                PosteriorInput { numbers: 2 * width, mean_scale: batch_norm }
            }
            _ => PosteriorInput { numbers: width, mean_scale: None },
        }
    }

    /// Whether latents are directions, points of the unit sphere.
    pub fn is_spherical(&self) -> bool {
        !matches!(self, PosteriorConfig::Gaussian { .. })
    }

    /// κ, which a Gaussian does not have.
    pub fn concentration(&self) -> Option<f64> {
        match *self {
            PosteriorConfig::VonMisesFisher { concentration, .. }
            | PosteriorConfig::PowerSpherical { concentration } => Some(concentration),
            PosteriorConfig::Gaussian { .. } => None,
        }
    }

    /// The same around another concentration κ; a Gaussian has none and stays.
    pub fn with_concentration(self, concentration: f64) -> Self {
        match self {
            PosteriorConfig::VonMisesFisher { sampler, .. } => {
                PosteriorConfig::VonMisesFisher { concentration, sampler }
            }
            PosteriorConfig::PowerSpherical { .. } => PosteriorConfig::PowerSpherical { concentration },
            PosteriorConfig::Gaussian { .. } => self,
        }
    }

    /// What is out of its range, if anything is: its key, what it is and what it should be.
    ///
    /// # Errors
    /// A concentration or a γ that is not above 0; a sphere of fewer than two dimensions.
    pub fn check(&self, width: usize) -> Result<(), (&'static str, f64, &'static str)> {
        if let PosteriorConfig::Gaussian { batch_norm: Some(scale) } = *self
            && !(scale > 0.0 && scale <= 1e3)
        {
            return Err(("objective.posterior.batch_norm", scale, "above 0 and at most 1000"));
        }
        let Some(concentration) = self.concentration() else { return Ok(()) };
        if !(concentration > 0.0 && concentration <= 1e8) {
            return Err(("objective.posterior.concentration", concentration, "above 0 and at most 1e8"));
        }
        if width < 2 {
            return Err(("objective.latent.width", width as f64, "at least 2: a latent is a direction"));
        }
        Ok(())
    }

    /// The posterior of latents of `width` numbers.
    ///
    /// # Panics
    /// If [`PosteriorConfig::check`] fails.
    pub fn init(self, width: usize) -> Posterior {
        let form = match self {
            PosteriorConfig::VonMisesFisher { concentration, sampler } => {
                let of = VonMisesFisher::new(width, concentration);
                Form::VonMisesFisher { of, table: (sampler == Sampler::Table).then(|| of.quantiles()) }
            }
            PosteriorConfig::PowerSpherical { concentration } => {
                Form::PowerSpherical(PowerSpherical::new(width, concentration))
            }
            PosteriorConfig::Gaussian { .. } => Form::Gaussian,
        };
        Posterior { form, width }
    }
}

/// A posterior with everything known but what a text adds.
#[derive(Clone, Debug)]
pub struct Posterior {
    form: Form,
    width: usize,
}

#[derive(Clone, Debug)]
enum Form {
    VonMisesFisher { of: VonMisesFisher, table: Option<Quantiles> },
    PowerSpherical(PowerSpherical),
    Gaussian,
}

/// Noise of the latents of some texts: a function of the key and of the text.
#[derive(Clone, Copy, Debug)]
pub struct LatentNoise<'a> {
    /// Of the step; every latent folds its number into it.
    pub key: Key,
    /// One id a text.
    pub samples: &'a [u64],
}

/// Latents of some texts.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// `[b, width]`.
    pub latent: Tensor<2>,
    /// The posterior's mean direction, or mean, `[b, width]`.
    pub mean: Tensor<2>,
    /// Divergence of the posterior from the prior in nats: of every number `[b, width]`, or of every text `[b, 1]`.
    pub divergence: Tensor<2>,
}

impl Posterior {
    /// The latents numbered `index` from what their posterior is made of, `[b, outputs]`: a draw, through which gradients flow to the
    /// posterior, or without noise its mean.
    ///
    /// # Panics
    /// If there is not one id a text.
    pub fn draw(&self, index: usize, made_of: Tensor<2>, noise: Option<LatentNoise<'_>>) -> Drawn {
        let noise = noise.map(|LatentNoise { key, samples }| {
            assert_eq!(samples.len(), made_of.dims()[0], "one id a text");
            LatentNoise { key: key.site("latent").index(index as u64), samples }
        });
        match &self.form {
            Form::VonMisesFisher { of, table } => {
                let cosine = |key: Key, sample| match table {
                    Some(table) => table.draw(key.sample(sample)).cos(),
                    None => of.cosine(key, sample),
                };
                self.on_sphere(made_of, of.divergence(), noise, cosine)
            }
            Form::PowerSpherical(of) => {
                self.on_sphere(made_of, of.divergence(), noise, |key, sample| of.cosine(key, sample))
            }
            Form::Gaussian => self.normal(made_of, noise),
        }
    }

    /// z = w·μ + √(1 − w²)·ν with ν a direction across μ. The cosine w does not depend on μ, so that the derivative of z goes through μ and ν
    /// alone.
    fn on_sphere(
        &self,
        made_of: Tensor<2>,
        divergence: f64,
        noise: Option<LatentNoise<'_>>,
        cosine: impl Fn(Key, u64) -> f64,
    ) -> Drawn {
        let mean = unit_length(made_of);
        let batch = mean.dims()[0];
        let divergence = mean.clone().detach().narrow(1, 0, 1).zeros_like().add_scalar(divergence);
        let Some(LatentNoise { key, samples }) = noise else {
            return Drawn { latent: mean.clone(), mean, divergence };
        };
        let cosines: Vec<f64> = samples.iter().map(|&sample| cosine(key.site("cosine"), sample)).collect();
        let sines = cosines.iter().map(|w| (1.0 - w * w).max(0.0).sqrt()).collect();
        let column = |values: Vec<f64>| constant(values, [batch, 1], &mean);
        let across = self.gaussians(key, samples, &mean);
        let along = (across.clone() * mean.clone()).sum_dim(1) * mean.clone();
        let latent = mean.clone() * column(cosines) + unit_length(across - along) * column(sines);
        Drawn { latent, mean, divergence }
    }

    /// z = m + e^(s/2)·ε with m and s = log σ² side by side; the divergence is ½(m² + σ² − 1 − s).
    fn normal(&self, made_of: Tensor<2>, noise: Option<LatentNoise<'_>>) -> Drawn {
        let mean = made_of.clone().narrow(1, 0, self.width);
        let log_variance = made_of.narrow(1, self.width, self.width);
        let divergence = (mean.clone() * mean.clone() + log_variance.clone().exp() - log_variance.clone())
            .sub_scalar(1.0)
            .mul_scalar(0.5);
        let latent = match noise {
            Some(LatentNoise { key, samples }) => {
                let noise = self.gaussians(key, samples, &mean);
                mean.clone() + log_variance.mul_scalar(0.5).exp() * noise
            }
            None => mean.clone(),
        };
        Drawn { latent, mean, divergence }
    }

    /// Latents drawn from the prior, `[b, width]`, in the precision and at the place of `like`; those numbered `index`.
    pub fn prior(
        &self,
        index: usize,
        LatentNoise { key, samples }: LatentNoise<'_>,
        like: &Tensor<2>,
    ) -> Tensor<2> {
        let drawn = self.gaussians(key.site("prior").index(index as u64), samples, like);
        match self.form {
            Form::Gaussian => drawn,
            _ => unit_length(drawn),
        }
    }

    /// Standard normal numbers `[b, width]`, where `like` is.
    fn gaussians(&self, key: Key, samples: &[u64], like: &Tensor<2>) -> Tensor<2> {
        let key = key.site("direction");
        let row = |&sample: &u64| gaussian(self.width, key.sample(sample));
        constant(samples.iter().flat_map(row).collect(), [samples.len(), self.width], like)
    }

    /// Logarithm of the posterior's density over the prior's at each of some latents `[b, width]`, given what the posterior is made of.
    pub fn log_density_ratio(&self, made_of: Tensor<2>, latent: Tensor<2>) -> Vec<f64> {
        let rows = |x: Tensor<2>| -> Vec<f64> { x.into_data().iter().collect() };
        match &self.form {
            Form::Gaussian => {
                let mean = made_of.clone().narrow(1, 0, self.width);
                let log_variance = made_of.narrow(1, self.width, self.width);
                let distance = latent.clone() - mean;
                let inner = distance.clone() * distance * log_variance.clone().neg().exp() + log_variance;
                rows((latent.clone() * latent - inner).sum_dim(1).mul_scalar(0.5))
            }
            form => {
                let cosines = rows((unit_length(made_of) * latent).sum_dim(1));
                let ratio = |cosine: f64| match form {
                    Form::VonMisesFisher { of, .. } => of.log_density_to_uniform(cosine),
                    Form::PowerSpherical(of) => of.log_density_to_uniform(cosine),
                    Form::Gaussian => unreachable!("told above"),
                };
                cosines.into_iter().map(ratio).collect()
            }
        }
    }
}

/// Numbers without a graph of their own, where `like` is and in its precision.
fn constant(values: Vec<f64>, shape: [usize; 2], like: &Tensor<2>) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values, shape), (&like.device(), like.dtype()))
}
