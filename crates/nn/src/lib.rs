//! Model parts and the models made of them: token mixers, channel mixers, norms, residual schemes,
//! positions, embeddings, heads.
//!
//! Shapes in comments use: `b` batch, `n` sequence length, `d` model width, `h` heads, `e` expanded
//! width, `s` shared query/key width, `c` chunk size, `L` layers.

#![forbid(unsafe_code)]

mod backbone;
mod builder;
mod classifier;
mod config;
mod context;
mod embedder;
mod error;
mod hybrid;
mod initialisation;
mod initialiser;
mod linear;
mod model;
mod outline;
mod parameters;
mod preset;
mod promises;
mod recompute;

pub mod adversarial;
pub mod channel;
pub mod dual;
pub mod embed;
pub mod head;
pub mod latent;
pub mod mixer;
pub mod norm;
pub mod position;
pub mod residual;
pub mod search;
pub mod seq2seq;

pub use backbone::{Backbone, Block, ChannelSublayer};
pub use builder::Builder;
pub use classifier::Classifier;
pub use config::{DropoutConfig, ModelConfig};
pub use context::{Context, Mode};
pub use embed::ClassifierInput;
pub use embedder::{EmbedderConfig, EmbeddingModel, EmbeddingPooling, unit_length};
pub use error::ModelError;
pub use hybrid::{HybridConfig, HybridLayout};
pub use initialisation::{Initialisation, InitialisationConfig, Role};
pub use initialiser::Initialiser;
pub use linear::Linear;
pub use model::{LanguageModel, ModelState};
pub use norm::{Norm, NormConfig};
pub use parameters::{
    NamedParameter, add_gradients, named_parameters, parameter_gradients, parameter_values, with_parameters,
};
pub use preset::{Preset, presets};
pub use promises::Promises;
pub use recompute::{Recompute, RecomputeConfig, backward_from};
