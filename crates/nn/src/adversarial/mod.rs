//! Networks of adversarial objectives: critics, from a sample to one number, and generators, from a latent to a sample.
//!
//! Samples are `[b, height, width, channels]`; points of a plane are 1 × 1 images with two channels. A class is given as constant channels
//! beside those of the sample, one hot (Mirza and Osindero, "Conditional generative adversarial nets", 2014): the derivative by the sample
//! then leaves it alone.
//!
//! Every layer is written once, on [`crate::dual::Dual`]s. Critics that are linear between kinks can also be traced: [`Tape`] has the
//! gradients of such a critic in closed form.

mod affine;
mod batch_norm;
mod config;
mod convolution;
mod critic;
mod dense;
mod generator;
mod layer;
mod patches;
mod pooling;
mod residual;
mod scale;
mod sequential;
mod tape;

pub use batch_norm::BatchMoments;
pub use config::{CriticActivation, NetworkConfig, NormalisationConfig, PoolConfig, SampleShape};
pub use critic::Critic;
pub use generator::Generator;
pub use tape::Tape;

pub(crate) use sequential::Sequential;
