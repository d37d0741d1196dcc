//! FNet: the real part of a two-dimensional Fourier transform over tokens and channels, `Re(F_n · X · F_d)`.
//!
//! Nothing is learned and nothing is normalised: the sum of all entries stands in the first row and column. The real
//! part is taken once, at the end. Beside it stand the same paper's relatives: learned matrices over both axes
//! (LINEAR), fixed random ones (RANDOM) and none (FF-only). Blocks with attention among them are `model.hybrid`. Source:
//! Lee-Thorp et al., "FNet", 2021, equation 3 and section 4.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use mixlab_kernels::{
    Activation, FourierGroups, TokenOptions, fourier_mix, fourier_mix_by_product, linear, token_linear,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::documents::{by_document, without_padding};
use super::{LengthPolicy, Lengths, MixerCost, Place, refuse_causal};
use crate::{Builder, Context, Initialiser, ModelError, Promises, Role};

/// Options of FNet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct FnetConfig {
    /// What stands in for attention.
    pub mixing: FnetMixing,
}

/// What stands in for attention in FNet and its relatives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FnetMixing {
    /// The real part of the Fourier transform over both axes.
    Fourier {
        /// How it is computed.
        #[serde(default)]
        transform: FourierTransform,
        /// How many positions are transformed.
        #[serde(default)]
        span: FourierSpan,
    },
    /// Learned matrices over tokens and over channels, `A·X·B`.
    Linear {
        /// What becomes of sequences of another length than `model.max_length`.
        #[serde(default)]
        length: LengthPolicy,
    },
    /// Random matrices over tokens and over channels, drawn once and never trained.
    Random {
        /// What becomes of sequences of another length than `model.max_length`.
        #[serde(default)]
        length: LengthPolicy,
    },
    /// The identity: no token meets another.
    Identity,
}

impl Default for FnetMixing {
    fn default() -> Self {
        FnetMixing::Fourier { transform: FourierTransform::default(), span: FourierSpan::default() }
    }
}

/// How the transform is computed. Both give the same numbers up to rounding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FourierTransform {
    /// Fast Fourier transforms along both axes: n·d·log(n·d).
    #[default]
    Fast,
    /// Products with cosine and sine matrices: n²·d + n·d².
    Product,
}

/// How many positions are transformed together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FourierSpan {
    /// The real tokens of each document: its own length. Padding changes nothing.
    #[default]
    TrueLength,
    /// `model.max_length` positions, with zero vectors behind the document and in the place of hidden tokens.
    Padded,
}

impl FnetConfig {
    /// # Errors
    /// A causal direction, for all but the identity.
    pub fn check_direction(&self, causal: bool) -> Result<(), ModelError> {
        match self.mixing {
            FnetMixing::Identity => Ok(()),
            _ => refuse_causal("fnet", causal, "every output is a sum over all positions"),
        }
    }

    pub(super) fn init(&self, place: Place, builder: &Builder) -> Fnet {
        let (n, d) = (place.max_length, place.width);
        let matrices = matches!(self.mixing, FnetMixing::Linear { .. } | FnetMixing::Random { .. });
        // As wide as the transform would make it: both matrices together keep the scale of X.
        let unit = |size: usize| Initialiser::Normal { deviation: (size as f64).powf(-0.5) };
        let drawn = |name: &str, size: usize, learned: Initialiser| {
            matrices.then(|| {
                let fixed = matches!(self.mixing, FnetMixing::Random { .. });
                builder.parameter(name, [size, size], if fixed { unit(size) } else { learned })
            })
        };
        Fnet {
            tokens: drawn("tokens", n, builder.token_initialiser([n, n], Role::Value { factors: 2 })),
            channels: drawn("channels", d, builder.token_initialiser([d, d], Role::Output { factors: 2 })),
            max_length: n,
            config: self.clone(),
        }
    }

    /// What the mixing promises.
    pub fn promises(&self) -> Promises {
        let none = Promises::default();
        match self.mixing {
            FnetMixing::Fourier { span, .. } => {
                Promises { any_length: span == FourierSpan::TrueLength, padding_safe: true, ..none }
            }
            FnetMixing::Linear { length } | FnetMixing::Random { length } => Promises {
                any_length: length.lengths(1, false) == Lengths::Any,
                padding_safe: length.keeps_weights(),
                ..none
            },
            FnetMixing::Identity => Promises {
                causal: true,
                any_length: true,
                padding_safe: true,
                streaming: true,
                prefix_consistent: true,
                permutation_equivariant: true,
            },
        }
    }

    pub(super) fn lengths(&self, max_length: usize) -> Lengths {
        match self.mixing {
            FnetMixing::Fourier { span: FourierSpan::Padded, .. } => Lengths::AtMost(max_length),
            FnetMixing::Fourier { span: FourierSpan::TrueLength, .. } | FnetMixing::Identity => Lengths::Any,
            FnetMixing::Linear { length } | FnetMixing::Random { length } => {
                length.lengths(max_length, false)
            }
        }
    }

    /// Products with real matrices: 2·n²·d + 2·n·d² for the Fourier matrices, half of that for others. The fast
    /// transform is counted as 5/4 · n·d·log₂(n·d), the customary operations of a real transform.
    pub fn cost(&self, place: Place, length: usize) -> MixerCost {
        let d = place.width as u64;
        let product = |n: u64| n * n * d + n * d * d;
        let mixing = match self.mixing {
            FnetMixing::Fourier { transform, span } => {
                let n = if span == FourierSpan::Padded { place.max_length } else { length } as u64;
                match transform {
                    FourierTransform::Product => 2 * product(n),
                    FourierTransform::Fast => {
                        let numbers = (n * d) as f64;
                        (1.25 * numbers * numbers.log2()).round() as u64
                    }
                }
            }
            FnetMixing::Linear { .. } | FnetMixing::Random { .. } => product(length as u64),
            FnetMixing::Identity => 0,
        };
        MixerCost { mixing, ..MixerCost::default() }
    }
}

/// `Re(F_n · X · F_d)` or one of its relatives (Lee-Thorp et al. 2021, equation 3). Shapes: `[b, n, d]` to the same.
#[derive(Module, Debug)]
pub struct Fnet {
    /// A, `[N, N]`, of the relatives with matrices.
    tokens: Option<Param<Tensor<2>>>,
    /// B, `[d, d]`.
    channels: Option<Param<Tensor<2>>>,
    #[module(skip)]
    max_length: usize,
    #[module(skip)]
    config: FnetConfig,
}

impl Fnet {
    /// Mixes `x` `[b, n, d]`.
    pub fn forward(&self, x: Tensor<3>, context: &Context) -> Tensor<3> {
        match (&self.config.mixing, &self.tokens, &self.channels) {
            (FnetMixing::Fourier { transform, span }, ..) => match span {
                FourierSpan::TrueLength => {
                    let [batch, n, _] = x.dims();
                    transformed(*transform, x, FourierGroups::of_mask(&context.mask, batch, n))
                }
                FourierSpan::Padded => by_document(x, &context.mask, |x, _| self.padded(*transform, x)),
            },
            (FnetMixing::Linear { length }, Some(tokens), Some(channels)) => {
                products(x, context, *length, tokens.val(), channels.val())
            }
            (FnetMixing::Random { length }, Some(tokens), Some(channels)) => {
                products(x, context, *length, tokens.val().detach(), channels.val().detach())
            }
            _ => x,
        }
    }

    /// The options the mixer was made from.
    pub fn config(&self) -> &FnetConfig {
        &self.config
    }

    fn padded(&self, transform: FourierTransform, x: Tensor<3>) -> Tensor<3> {
        let [batch, n, width] = x.dims();
        assert!(n <= self.max_length, "{n} positions, but transforms of {} only", self.max_length);
        let zeros = Tensor::zeros([batch, self.max_length - n, width], (&x.device(), x.dtype()));
        transformed(transform, Tensor::cat(vec![x, zeros], 1), None).narrow(1, 0, n)
    }
}

fn transformed(transform: FourierTransform, x: Tensor<3>, groups: Option<FourierGroups>) -> Tensor<3> {
    match transform {
        FourierTransform::Fast => fourier_mix(x, groups),
        FourierTransform::Product => fourier_mix_by_product(x, groups),
    }
}

/// `A·X·B`.
fn products(
    x: Tensor<3>,
    context: &Context,
    policy: LengthPolicy,
    tokens: Tensor<2>,
    channels: Tensor<2>,
) -> Tensor<3> {
    let n = x.dims()[1];
    policy.assert_allows(n, tokens.dims()[0], context.causal);
    let options = TokenOptions { segments: context.mask.segments.clone(), ..TokenOptions::default() };
    let mixed = token_linear(without_padding(x, &context.mask), policy.square(tokens, n), None, options);
    linear(mixed, channels, None, Activation::Identity)
}
