//! Which networks play against each other.

use mixlab_kernels::{Activation, ConvolutionWindow};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::dual::DualActivation;
use crate::embed::ImageShape;
use crate::{Initialiser, ModelError};

/// The shape of a sample: an image, or a point of `channels` numbers with one pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleShape {
    /// Numbers a pixel.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl SampleShape {
    /// Numbers in a sample.
    pub fn size(self) -> usize {
        self.channels * self.height * self.width
    }

    /// The same as an image.
    pub fn image(self) -> ImageShape {
        ImageShape { height: self.height, width: self.width, channels: self.channels }
    }
}

/// A network of an adversarial objective, by its architecture. A generator and a critic of one kind mirror each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum NetworkConfig {
    /// Affine maps with an activation between them, from all numbers of a sample.
    Mlp {
        /// Width of the hidden layers.
        #[serde(default = "mlp_width")]
        width: usize,
        /// Number of hidden layers.
        #[serde(default = "mlp_depth")]
        depth: usize,
        /// Activation.
        #[serde(default)]
        activation: CriticActivation,
        /// Normalisation of a generator's hidden layers; absent: none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        normalisation: Option<NormalisationConfig>,
    },
    /// Convolutions that halve or double the image, one a stage, after DCGAN (Radford, Metz and Chintala 2015).
    Convolution {
        /// Channels at full size; each stage has twice as many as the one before.
        #[serde(default = "convolution_width")]
        width: usize,
        /// How often the image is halved; its sides are multiples of 2^stages.
        #[serde(default = "stages")]
        stages: usize,
        /// Activation of a critic; generators have ReLU.
        #[serde(default = "leaky")]
        activation: CriticActivation,
        /// Normalisation of a generator; absent: over the batch.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        normalisation: Option<NormalisationConfig>,
    },
    /// Residual blocks that halve or double the image, one a stage, after SNGAN (Miyato et al. 2018).
    Residual {
        /// Channels.
        #[serde(default = "convolution_width")]
        width: usize,
        /// How often the image is halved; its sides are multiples of 2^stages.
        #[serde(default = "stages")]
        stages: usize,
        /// Activation of a critic; generators have ReLU.
        #[serde(default)]
        activation: CriticActivation,
        /// How a critic halves the image.
        #[serde(default)]
        pool: PoolConfig,
        /// Normalisation of a generator; absent: over the batch.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        normalisation: Option<NormalisationConfig>,
    },
    /// Token mixers on square patches: the blocks that `[model]` describes, `model.patch.size` pixels a side.
    Patches,
}

/// How a critic halves an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PoolConfig {
    /// By the average of 2 × 2 pixels.
    #[default]
    Average,
    /// By the largest of 2 × 2 pixels.
    Max,
}

/// Normalisation between the layers of a generator. A critic has none: its samples must not hang together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NormalisationConfig {
    /// None.
    None,
    /// Of every channel over the samples and pixels of a batch (Ioffe and Szegedy 2015).
    Batch,
}

/// Activation between the layers of a network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CriticActivation {
    /// max(x, 0).
    #[default]
    Relu,
    /// max(x, 0) + slope·min(x, 0).
    LeakyRelu {
        /// Slope for negative numbers, in [0, 1).
        #[serde(default = "slope")]
        slope: f64,
    },
    /// log(1 + eˣ): smooth.
    Softplus,
    /// tanh(x): smooth.
    Tanh,
    /// x·σ(x): smooth.
    Silu,
}

fn mlp_width() -> usize {
    128
}

fn mlp_depth() -> usize {
    3
}

fn convolution_width() -> usize {
    32
}

fn stages() -> usize {
    2
}

fn slope() -> f64 {
    0.1
}

fn leaky() -> CriticActivation {
    CriticActivation::LeakyRelu { slope: slope() }
}

impl From<&CriticActivation> for DualActivation {
    fn from(config: &CriticActivation) -> Self {
        match *config {
            CriticActivation::Relu => DualActivation::RELU,
            CriticActivation::LeakyRelu { slope } => DualActivation::LeakyRelu { slope },
            CriticActivation::Softplus => DualActivation::Softplus,
            CriticActivation::Tanh => DualActivation::Other(Activation::Tanh),
            CriticActivation::Silu => DualActivation::Other(Activation::Silu),
        }
    }
}

impl Default for NetworkConfig {
    fn default() -> Self {
        NetworkConfig::mlp(mlp_width(), mlp_depth(), CriticActivation::default())
    }
}

impl NetworkConfig {
    /// Affine maps, without normalisation.
    pub fn mlp(width: usize, depth: usize, activation: CriticActivation) -> Self {
        NetworkConfig::Mlp { width, depth, activation, normalisation: None }
    }

    /// Convolutions with the normalisation that is usual.
    pub fn convolution(width: usize, stages: usize, activation: CriticActivation) -> Self {
        NetworkConfig::Convolution { width, stages, activation, normalisation: None }
    }

    /// Residual blocks with the normalisation that is usual.
    pub fn residual(width: usize, stages: usize, activation: CriticActivation, pool: PoolConfig) -> Self {
        NetworkConfig::Residual { width, stages, activation, pool, normalisation: None }
    }

    /// Whether a generator of this kind is normalised over the batch: unless told, those of images are.
    pub(super) fn generator_is_normalised(&self) -> bool {
        let usual = matches!(self, NetworkConfig::Convolution { .. } | NetworkConfig::Residual { .. });
        self.normalisation().map_or(usual, |asked| asked == NormalisationConfig::Batch)
    }

    /// The normalisation that is asked for.
    fn normalisation(&self) -> Option<NormalisationConfig> {
        match self {
            NetworkConfig::Mlp { normalisation, .. }
            | NetworkConfig::Convolution { normalisation, .. }
            | NetworkConfig::Residual { normalisation, .. } => *normalisation,
            NetworkConfig::Patches => None,
        }
    }

    /// Checks every number; `key` is where the network stands in the config.
    ///
    /// # Errors
    /// [`ModelError::OutOfRange`].
    pub fn validate(&self, key: &str) -> Result<(), ModelError> {
        let range = |name: &str, found: usize, most: usize| match (1..=most).contains(&found) {
            true => Ok(()),
            false => Err(ModelError::out_of_range(format!("{key}.{name}"), found, format!("1 to {most}"))),
        };
        let activation = match self {
            NetworkConfig::Mlp { width, depth, activation, .. } => {
                range("width", *width, 1 << 16)?;
                range("depth", *depth, 1000)?;
                activation
            }
            NetworkConfig::Convolution { width, stages, activation, .. }
            | NetworkConfig::Residual { width, stages, activation, .. } => {
                range("width", *width, 1 << 12)?;
                range("stages", *stages, 8)?;
                activation
            }
            NetworkConfig::Patches => return Ok(()),
        };
        match activation {
            CriticActivation::LeakyRelu { slope } if !(0.0..1.0).contains(slope) => Err(
                ModelError::out_of_range(format!("{key}.activation.slope"), slope, "at least 0 and below 1"),
            ),
            _ => Ok(()),
        }
    }

    /// Whether a critic of this kind is linear between kinks.
    pub fn is_piecewise_linear(&self) -> bool {
        match self {
            NetworkConfig::Mlp { activation, .. }
            | NetworkConfig::Convolution { activation, .. }
            | NetworkConfig::Residual { activation, .. } => {
                DualActivation::from(activation).is_piecewise_linear()
            }
            NetworkConfig::Patches => false,
        }
    }

    /// Whether a network can be a critic.
    ///
    /// # Errors
    /// [`ModelError::Unsupported`], of normalisation over the batch.
    pub fn check_critic(&self) -> Result<(), ModelError> {
        match self.normalisation() {
            Some(NormalisationConfig::Batch) => Err(ModelError::Unsupported {
                method: "objective.critic.normalisation = \"batch\"".to_owned(),
                purpose: "a critic",
                reason: "what it says of a sample would depend on the others of the batch, and the slope by one sample, which constraints and \
                         measurements need, would be a sum over all"
                    .to_owned(),
                remedy: "leave `objective.critic.normalisation` out: a generator may have it".to_owned(),
            }),
            Some(NormalisationConfig::None) | None => Ok(()),
        }
    }

    /// Whether the network can make or judge samples of this shape.
    ///
    /// # Errors
    /// [`ModelError::NotDivisible`], of sides that are not halved as often.
    pub fn check_shape(&self, key: &str, shape: SampleShape) -> Result<(), ModelError> {
        let stages = match self {
            NetworkConfig::Convolution { stages, .. } | NetworkConfig::Residual { stages, .. } => *stages,
            NetworkConfig::Mlp { .. } | NetworkConfig::Patches => return Ok(()),
        };
        let divisor = 1usize << stages;
        for (side, pixels) in [("height of a sample", shape.height), ("width of a sample", shape.width)] {
            if !pixels.is_multiple_of(divisor) {
                return Err(ModelError::NotDivisible {
                    divisor_key: format!("2^{key}.stages"),
                    divisor,
                    dividend_key: side.to_owned(),
                    dividend: pixels,
                });
            }
        }
        Ok(())
    }
}

/// He et al. 2015: normal with variance 2/fan_in, for a convolution of `inputs` channels.
pub(super) fn kaiming(inputs: usize, window: ConvolutionWindow) -> Initialiser {
    Initialiser::Normal { deviation: (2.0 / (inputs * window.size()) as f64).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_out_of_range_are_named() {
        let read = |text: &str| serde_json::from_str::<NetworkConfig>(text).expect("a network");
        for (text, key) in [
            (r#"{"kind":"mlp","width":0}"#, "critic.width"),
            (r#"{"kind":"mlp","depth":0}"#, "critic.depth"),
            (r#"{"kind":"convolution","stages":9}"#, "critic.stages"),
            (r#"{"kind":"mlp","activation":{"kind":"leaky_relu","slope":1.0}}"#, "critic.activation.slope"),
        ] {
            let error = read(text).validate("critic").expect_err(text).to_string();
            assert!(error.contains(key), "{error}");
        }
        assert!(read(r#"{"kind":"residual"}"#).validate("critic").is_ok());
    }

    #[test]
    fn critics_of_batches_are_refused() {
        for kind in ["mlp", "convolution", "residual"] {
            let read = |normalisation: &str| {
                let text = format!(r#"{{"kind":"{kind}","normalisation":"{normalisation}"}}"#);
                serde_json::from_str::<NetworkConfig>(&text).expect("a network")
            };
            let error = read("batch").check_critic().expect_err(kind).to_string();
            assert!(
                error.contains("critic.normalisation") && error.contains("the others of the batch"),
                "{error}"
            );
            assert!(read("none").check_critic().is_ok());
        }
        assert!(NetworkConfig::default().check_critic().is_ok());
    }

    #[test]
    fn images_that_cannot_be_halved_are_refused() {
        let network = NetworkConfig::convolution(8, 3, leaky());
        let shape = |side| SampleShape { channels: 1, height: side, width: side };
        assert!(network.check_shape("critic", shape(32)).is_ok());
        let error = network.check_shape("critic", shape(28)).expect_err("28 is no multiple of 8").to_string();
        assert!(error.contains("2^critic.stages") && error.contains("28"), "{error}");
    }
}
