//! A stack of blocks: token mixer, then channel mixer, each inside the residual scheme.

use std::ops::Range;

use burn::module::Module;
use burn::tensor::Tensor;

use crate::channel::ChannelMixer;
use crate::mixer::{Mixer, MixerState};
use crate::residual::Residual;
use crate::{Builder, Context, ModelConfig, ModelError, Norm};

/// A channel mixer inside its residual scheme.
#[derive(Module, Debug)]
pub struct ChannelSublayer {
    mixer: ChannelMixer,
    residual: Residual,
}

/// One block: a token mixer and, unless the token mixer has its own gate, a channel mixer.
#[derive(Module, Debug)]
pub struct Block {
    mixer: Mixer,
    residual: Residual,
    channel: Option<ChannelSublayer>,
    #[module(skip)]
    dropout: f64,
    #[module(skip)]
    site: String,
}

impl Block {
    fn new(config: &ModelConfig, builder: &Builder) -> Result<Self, ModelError> {
        let residual = |path: &str| config.residual.init(&config.norm, config.width, &builder.child(path));
        let channel = config.channel().init(config.width, &builder.child("channel.mixer"));
        Ok(Block {
            mixer: config.mixer.init(config.width, config.max_length, &builder.child("mixer"))?,
            residual: residual("residual"),
            channel: channel.map(|mixer| ChannelSublayer { mixer, residual: residual("channel.residual") }),
            dropout: config.dropout.branch,
            site: builder.path().to_owned(),
        })
    }

    fn forward(&self, x: Tensor<3>, context: &Context) -> Tensor<3> {
        self.run(x, context, |normed| self.mixer.forward(normed, context))
    }

    fn step(&self, x: Tensor<3>, state: &mut MixerState, context: &Context) -> Tensor<3> {
        self.run(x, context, |normed| self.mixer.step(normed, state, context))
    }

    fn run(&self, x: Tensor<3>, context: &Context, mix: impl FnOnce(Tensor<3>) -> Tensor<3>) -> Tensor<3> {
        let noise = |part: &str| context.dropout(self.dropout, &format!("{}.{part}", self.site));
        let x = self.residual.forward(x, noise("mixer").as_ref(), mix);
        match &self.channel {
            Some(ChannelSublayer { mixer, residual }) => {
                residual.forward(x, noise("channel").as_ref(), |normed| mixer.forward(normed))
            }
            None => x,
        }
    }
}

/// The stack of all blocks with the norm that ends it.
#[derive(Module, Debug)]
pub struct Backbone {
    blocks: Vec<Block>,
    final_norm: Option<Norm>,
}

impl Backbone {
    pub(crate) fn new(config: &ModelConfig, builder: &Builder) -> Result<Self, ModelError> {
        let blocks = (0..config.blocks())
            .map(|index| Block::new(config, &builder.child(&format!("blocks.{index}"))))
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
