//! Mixlab trains, measures and uses sequence models beyond the standard Transformer.
//!
//! This crate is two things: the program `mixlab`, and the library's front door. Each crate of the
//! project is a module here, so that a program needs one dependency:
//!
//! | module | what |
//! |---|---|
//! | [`core`] | keyed randomness, device and precision, strict configuration |
//! | [`kernels`] | fused tensor operations |
//! | [`nn`] | token mixers, channel mixers, norms, residual schemes, models |
//! | [`objectives`] | what models are trained to do |
//! | [`data`] | files, tokenizers, batches |
//! | [`train`] | the loop, optimisers, checkpoints, generation |
//! | [`measure`] | studies of many runs |
//!
//! A model is described by a config, built from a seed, and used on tensors of any Burn device:
//!
//! ```
//! use mixlab::core::config::resolve;
//! use mixlab::core::{DeviceChoice, Precision};
//! use mixlab::nn::ModelConfig;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let text = "width = 32\ndepth = 2\nmax_length = 64\nmixer.kind = \"linear_attention\"";
//! let config = resolve::<ModelConfig>(&[("model.toml".into(), text.into())], &[])?.value;
//! let device = DeviceChoice::Cpu.device();
//! let model = config.build(256, 7, &device, Precision::F32)?;
//!
//! // The state carries everything that the model remembers, whatever the length of the text.
//! let mut state = model.state(1)?;
//! let tokens = mixlab::burn::tensor::Tensor::from_ints([[72, 101, 121]], &device);
//! let hidden = model.step(tokens, &mut state);
//! assert_eq!(model.logits(hidden).dims(), [1, 3, 256]);
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

pub use burn;
pub use mixlab_core as core;
pub use mixlab_data as data;
pub use mixlab_kernels as kernels;
pub use mixlab_measure as measure;
pub use mixlab_nn as nn;
pub use mixlab_objectives as objectives;
pub use mixlab_train as train;
