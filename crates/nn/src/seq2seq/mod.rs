//! Sequence to sequence: an encoder that sees a whole source, and a causal decoder whose blocks read the encoder's output.
//!
//! Both stacks are made of the same parts as every other model. A block of the decoder has three sublayers: token mixer,
//! [cross-attention](CrossAttention), channel mixer. Source: Vaswani et al. 2017, section 3.1.

mod cross;

use burn::module::Module;
use burn::tensor::{Int, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::backbone::Backbone;
use crate::embed::{Embedding, EmbeddingSizes};
use crate::head::Head;
use crate::mixer::{MixerConfig, MixerState};
use crate::residual::Stack;
use crate::{Builder, Context, ModelConfig, ModelError};

pub use cross::{
    CrossAttention, CrossAttentionConfig, GatedCross, GatedCrossConfig, Memory, SoftmaxCross,
    SoftmaxCrossConfig,
};
pub(crate) use cross::{Projected, row_ids};

/// The encoder beside a decoder, as far as it differs from it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct EncoderConfig {
    /// Number of blocks; absent: as many as the decoder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<usize>,
    /// Longest source; absent: the longest target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
    /// The token mixer; absent: that of the decoder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mixer: Option<MixerConfig>,
    /// How the decoder reads the encoder's output.
    pub cross: CrossAttentionConfig,
}

impl EncoderConfig {
    /// The encoder as a model of its own beside the decoder `model`.
    pub fn model(&self, model: &ModelConfig) -> ModelConfig {
        ModelConfig {
            encoder: None,
            depth: self.depth.unwrap_or(model.depth),
            max_length: self.max_length.unwrap_or(model.max_length),
            mixer: self.mixer.clone().unwrap_or_else(|| model.mixer.clone()),
            ..model.clone()
        }
    }

    /// The stacks of encoder and decoder, with their residual sublayers.
    pub fn stacks(&self, model: &ModelConfig) -> [Stack; 2] {
        let decoder = model.sublayers() + model.blocks();
        let encoder = self.model(model).sublayers();
        [Stack::Encoder { sublayers: encoder, decoder }, Stack::Decoder { sublayers: decoder }]
    }

    /// Checks every number against its range, and the parts against each other.
    ///
    /// # Errors
    /// The first thing that is wrong: a decoder whose mixer cannot be causal, or cannot wait for the other sequence.
    pub fn validate(&self, model: &ModelConfig) -> Result<(), ModelError> {
        let stacks = self.stacks(model);
        for (config, stack) in [self.model(model), model.clone()].iter().zip(stacks) {
            config.validate_in(stack)?;
        }
        self.model(model).check_direction(false)?;
        model.check_direction(true)?;
        self.cross.validate(model.width)
    }
}

/// An encoder and a decoder with one embedding.
#[derive(Module, Debug)]
pub struct SequenceToSequence {
    embedding: Embedding,
    encoder: Backbone,
    decoder: Backbone,
    head: Head,
}

/// What a decoder remembers of the tokens it has been stepped through.
#[derive(Clone, Debug)]
pub struct DecoderState {
    layers: Vec<MixerState>,
    memory: Memory,
    position: usize,
}

impl DecoderState {
    /// The state of some rows of the batch, in any order and any number of times.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        let ids = row_ids(rows, &self.memory.states.device());
        DecoderState {
            layers: self.layers.iter().map(|layer| layer.select(&ids)).collect(),
            memory: self.memory.select(rows),
            position: self.position,
        }
    }
}

impl SequenceToSequence {
    pub(crate) fn new(
        config: &EncoderConfig,
        model: &ModelConfig,
        vocabulary: usize,
        builder: &Builder,
    ) -> Result<Self, ModelError> {
        let encoder = config.model(model);
        let [encoder_stack, decoder_stack] = config.stacks(model);
        // Positions are learned for the longer of the two.
        let max_length = encoder.max_length.max(model.max_length);
        let shared = ModelConfig { max_length, ..model.clone() };
        let sizes = EmbeddingSizes::of(&shared, vocabulary);
        let backbone = |config: &ModelConfig, stack: Stack, cross, name: &str| {
            let drawn = builder.child(name).drawing(config.initialisation_in(stack), stack.sublayers());
            Backbone::new(config, stack, cross, &drawn)
        };
        Ok(SequenceToSequence {
            embedding: Embedding::new(&model.embedding, sizes, &builder.child("embedding")),
            encoder: backbone(&encoder, encoder_stack, None, "encoder")?,
            decoder: backbone(model, decoder_stack, Some(&config.cross), "decoder")?,
            head: model.head.init(vocabulary, model.width, &builder.child("head")),
        })
    }

    /// What turns tokens into vectors, of both sequences.
    pub fn embedding(&self) -> &Embedding {
        &self.embedding
    }

    /// The blocks that read the source.
    pub fn encoder(&self) -> &Backbone {
        &self.encoder
    }

    /// The blocks that write the target.
    pub fn decoder(&self) -> &Backbone {
        &self.decoder
    }

    /// The encoder's output for source ids `[batch, m]`, whose padding is in `context`.
    pub fn encode(&self, source: Tensor<2, Int>, context: &Context) -> Memory {
        let context = Context { causal: false, memory: None, ..context.clone() };
        let x = self.embedding.forward(source, &context);
        Memory::new(self.encoder.forward(x, &context), context.mask.padding)
    }

    /// Final hidden vectors `[batch, n, width]` of target ids `[batch, n]`, each of which sees those before it and the
    /// whole source.
    pub fn decode(&self, target: Tensor<2, Int>, memory: Memory, context: &Context) -> Tensor<3> {
        let context = Context { causal: true, memory: Some(memory), ..context.clone() };
        let x = self.embedding.forward(target, &context);
        self.decoder.forward(x, &context)
    }

    /// The output projection: matrix `[vocabulary, width]` and bias `[vocabulary]`.
    pub fn output_weight(&self) -> (Tensor<2>, Option<Tensor<1>>) {
        self.head.projection(&self.embedding)
    }

    /// Logits `[batch, n, vocabulary]` of hidden vectors `[batch, n, width]`.
    pub fn logits(&self, hidden: Tensor<3>) -> Tensor<3> {
        self.head.logits(&self.embedding, hidden)
    }

    /// An empty streaming state of the decoder over a source, whose keys and values are computed once.
    ///
    /// # Errors
    /// [`ModelError::Unsupported`] if the decoder's mixer has no streaming form.
    pub fn state(&self, memory: Memory) -> Result<DecoderState, ModelError> {
        let batch = memory.states.dims()[0];
        let memory = self.decoder.read_ahead(memory);
        Ok(DecoderState { layers: self.decoder.state(batch)?, memory, position: 0 })
    }

    /// Hidden vectors of the next target ids `[batch, k]`, any k, as the full pass would give them.
    pub fn step(&self, target: Tensor<2, Int>, state: &mut DecoderState) -> Tensor<3> {
        let [batch, count] = target.dims();
        let context = Context {
            start: state.position,
            memory: Some(state.memory.clone()),
            ..Context::evaluation(batch, true)
        };
        let x = self.embedding.forward(target, &context);
        let hidden = self.decoder.step(x, &mut state.layers, &context);
        state.position += count;
        hidden
    }
}
