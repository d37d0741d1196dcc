//! A stack of blocks: token mixer, then channel mixer, each inside the residual scheme.

use std::ops::Range;

use burn::module::Module;
use burn::tensor::Tensor;

use crate::channel::ChannelMixer;
use crate::dual::Dual;
use crate::mixer::{Mixer, MixerState, Place};
use crate::residual::{BranchNoise, Profile, Residual, Stack, Sublayer};
use crate::seq2seq::{CrossAttention, CrossAttentionConfig, Memory, Projected};
use crate::{Builder, Context, ModelConfig, ModelError, Norm, NormConfig};

/// A channel mixer inside its residual scheme.
#[derive(Module, Debug)]
pub struct ChannelSublayer {
    mixer: ChannelMixer,
    residual: Residual,
}

/// Attention to another sequence inside its residual scheme.
#[derive(Module, Debug)]
pub struct CrossSublayer {
    attention: CrossAttention,
    residual: Residual,
}

/// One block: a token mixer and, unless the token mixer has its own gate, a channel mixer. Most mixers come first, the
/// feed-forward layer over tokens of FF-only last.
#[derive(Module, Debug)]
pub struct Block {
    mixer: Mixer,
    residual: Residual,
    cross: Option<CrossSublayer>,
    channel: Option<ChannelSublayer>,
    #[module(skip)]
    channel_first: bool,
    #[module(skip)]
    rates: Rates,
    #[module(skip)]
    site: String,
}

/// Rates of the noise of one block.
#[derive(Clone, Copy, Debug)]
struct Rates {
    mixer: f64,
    channel: f64,
    /// Stochastic depth of this block.
    depth: f64,
}

impl Block {
    fn new(
        config: &ModelConfig,
        stack: Stack,
        cross: Option<&CrossAttentionConfig>,
        layer: usize,
        profile: &mut Profile,
        builder: &Builder,
    ) -> Result<Self, ModelError> {
        let kind = config.mixer_of(layer);
        let own = kind.has_own_norm() && config.residual.needs_final_norm();
        let norm = if own { NormConfig::None } else { config.norm.clone() };
        let place = Place { width: config.width, max_length: config.max_length, layer };
        let mixer = kind.init(place, &builder.child("mixer"))?;
        let channel = config.channel_of(layer).init(config.width, &builder.child("channel.mixer"));
        let sublayer = Sublayer { width: config.width, blocks: config.blocks(), stack };
        let of_mixer = |profile: &mut Profile| {
            let mix = |x: Tensor<3>| mixer.forward(x.clone(), &Context::evaluation(x.dims()[0], false));
            config.residual.init(&norm, sublayer, profile, &builder.child("residual"), mix)
        };
        let of_channel = |profile: &mut Profile| {
            let builder = builder.child("channel.residual");
            let scheme = |mixer: &ChannelMixer| {
                config.residual.init(&config.norm, sublayer, profile, &builder, |x| mixer.forward(x))
            };
            channel.as_ref().map(scheme)
        };
        let of_cross = |profile: &mut Profile| {
            let builder = builder.child("cross");
            cross.map(|cross| {
                let attention = cross.init(config.width, layer, &builder.child("attention"));
                let read = |x: Tensor<3>| {
                    let (memory, context) =
                        (Memory::new(x.clone(), None), Context::evaluation(x.dims()[0], false));
                    attention.forward(x, &memory, &context)
                };
                let residual =
                    config.residual.init(&config.norm, sublayer, profile, &builder.child("residual"), read);
                CrossSublayer { attention, residual }
            })
        };
        let channel_first = kind.follows_channel();
        // In the order of the data, which is that of the profile.
        let (residual, cross, channel_residual) = if channel_first {
            let channel = of_channel(profile);
            (of_mixer(profile), of_cross(profile), channel)
        } else {
            (of_mixer(profile), of_cross(profile), of_channel(profile))
        };
        Ok(Block {
            mixer,
            residual,
            cross,
            channel: channel
                .zip(channel_residual)
                .map(|(mixer, residual)| ChannelSublayer { mixer, residual }),
            channel_first,
            rates: Rates {
                mixer: config.dropout.mixer.unwrap_or(config.dropout.branch),
                channel: config.dropout.branch,
                depth: config.dropout.stochastic_depth_of(layer, config.blocks()),
            },
            site: builder.path().to_owned(),
        })
    }

    /// The token mixer, whose parameters live under `mixer`.
    pub fn mixer(&self) -> &Mixer {
        &self.mixer
    }

    /// The attention to another sequence, of a decoder's block; its parameters live under `cross.attention`.
    pub fn cross_attention(&self) -> Option<&CrossAttention> {
        self.cross.as_ref().map(|cross| &cross.attention)
    }

    /// `[batch, n, width]` through the block; the shape stays.
    pub fn forward(&self, x: Tensor<3>, context: &Context) -> Tensor<3> {
        self.run(x, context, |normed| self.mixer.forward(normed, context))
    }

    /// Duals `[batch, n, width]` through the block, without noise.
    ///
    /// # Panics
    /// If a part has no tangent; [`ModelConfig::check_tangent`] tells.
    fn forward_dual(&self, x: Dual<3>) -> Dual<3> {
        let x = self.residual.forward_dual(x, |normed| self.mixer.forward_dual(normed));
        match &self.channel {
            Some(ChannelSublayer { mixer, residual }) => {
                residual.forward_dual(x, |normed| mixer.forward_dual(normed))
            }
            None => x,
        }
    }

    /// The next positions `[batch, k, width]`, given what `state` remembers of the earlier ones.
    pub fn step(&self, x: Tensor<3>, state: &mut MixerState, context: &Context) -> Tensor<3> {
        self.run(x, context, |normed| self.mixer.step(normed, state, context))
    }

    fn run(&self, x: Tensor<3>, context: &Context, mix: impl FnOnce(Tensor<3>) -> Tensor<3>) -> Tensor<3> {
        let mixed = |x| {
            let x = self.residual.forward(x, &self.noise("mixer", self.rates.mixer, context), mix);
            self.read(x, context)
        };
        let channel = |x| match &self.channel {
            Some(ChannelSublayer { mixer, residual }) => {
                let noise = self.noise("channel", self.rates.channel, context);
                residual.forward(x, &noise, |normed| mixer.forward(normed))
            }
            None => x,
        };
        if self.channel_first { mixed(channel(x)) } else { channel(mixed(x)) }
    }

    /// The cross-attention, where there is one.
    ///
    /// # Panics
    /// If `context` has no memory.
    fn read(&self, x: Tensor<3>, context: &Context) -> Tensor<3> {
        let Some(CrossSublayer { attention, residual }) = &self.cross else { return x };
        let memory = context.memory.as_ref().expect("a decoder reads an encoder's output");
        let noise = self.noise("cross", self.rates.channel, context);
        residual.forward(x, &noise, |normed| attention.forward(normed, memory, context))
    }

    fn noise(&self, part: &str, rate: f64, context: &Context) -> BranchNoise {
        let site = format!("{}.{part}", self.site);
        BranchNoise {
            dropout: context.dropout(rate, &site),
            depth: context.dropout(self.rates.depth, &format!("{site}.depth")),
        }
    }
}

/// Tokens on which branches are profiled: enough for a variance, or as many as a model of a fixed length takes.
fn profile_length(config: &ModelConfig) -> usize {
    let few = config.max_length.min(64);
    if config.check_length(few, false).is_ok() { few } else { config.max_length }
}

/// The stack of all blocks with the norm that ends it.
#[derive(Module, Debug)]
pub struct Backbone {
    blocks: Vec<Block>,
    final_norm: Option<Norm>,
}

impl Backbone {
    pub(crate) fn new(
        config: &ModelConfig,
        stack: Stack,
        cross: Option<&CrossAttentionConfig>,
        builder: &Builder,
    ) -> Result<Self, ModelError> {
        let mut profile = Profile::new(profile_length(config), config.width);
        let blocks = (0..config.blocks())
            .map(|index| {
                let builder = builder.child(&format!("blocks.{index}"));
                Block::new(config, stack, cross, index, &mut profile, &builder)
            })
            .collect::<Result<_, _>>()?;
        let final_norm = config
            .residual
            .needs_final_norm()
            .then(|| config.norm.init(config.width, &builder.child("final_norm")));
        Ok(Backbone { blocks, final_norm })
    }

    /// `[batch, n, width]` through every block and the final norm; the shape stays.
    pub fn forward(&self, x: Tensor<3>, context: &Context) -> Tensor<3> {
        self.finish(self.run(0..self.blocks.len(), x, context))
    }

    /// Duals `[batch, n, width]` through every block and the final norm, without noise.
    ///
    /// # Panics
    /// If a part has no tangent; [`ModelConfig::check_tangent`] tells.
    pub fn forward_dual(&self, x: Dual<3>) -> Dual<3> {
        let x = self.blocks.iter().fold(x, |x, block| block.forward_dual(x));
        match &self.final_norm {
            Some(norm) => norm.forward_dual(x),
            None => x,
        }
    }

    /// `[batch, n, width]` through some of the blocks.
    ///
    /// # Panics
    /// If there are fewer blocks.
    pub fn run(&self, blocks: Range<usize>, x: Tensor<3>, context: &Context) -> Tensor<3> {
        self.blocks[blocks].iter().fold(x, |x, block| block.forward(x, context))
    }

    /// The blocks, whose parameters live under `blocks.` and their index.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// `memory` with the keys and values of every block that reads it.
    pub(crate) fn read_ahead(&self, memory: Memory) -> Memory {
        let project = |block: &Block| -> Option<Projected> {
            Some(block.cross.as_ref()?.attention.project(memory.states.clone()))
        };
        let projected = self.blocks.iter().map(project).collect();
        Memory { projected, ..memory }
    }

    /// An empty state for every block.
    ///
    /// # Errors
    /// [`ModelError::Unsupported`] if the mixer has no streaming form.
    pub fn state(&self, batch: usize) -> Result<Vec<MixerState>, ModelError> {
        self.blocks.iter().map(|block| block.mixer.state(batch)).collect()
    }

    /// The next positions `[batch, k, width]`, given what `states` remembers of the earlier ones.
    pub fn step(&self, x: Tensor<3>, states: &mut [MixerState], context: &Context) -> Tensor<3> {
        let x = self.blocks.iter().zip(states).fold(x, |x, (block, state)| block.step(x, state, context));
        self.finish(x)
    }

    /// The norm that ends the stack, if the residual scheme has one.
    pub fn finish(&self, x: Tensor<3>) -> Tensor<3> {
        match &self.final_norm {
            Some(norm) => norm.forward(x),
            None => x,
        }
    }
}
