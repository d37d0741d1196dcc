//! A language model: embedding, backbone, output projection.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};

use crate::backbone::Backbone;
use crate::embed::{Embedding, EmbeddingSizes};
use crate::head::Head;
use crate::mixer::MixerState;
use crate::seq2seq::row_ids;
use crate::{Builder, Context, ModelConfig, ModelError};

/// A model over tokens, for causal or masked language modelling.
#[derive(Module, Debug)]
pub struct LanguageModel {
    embedding: Embedding,
    backbone: Backbone,
    head: Head,
}

/// What a model remembers of the tokens it has been stepped through.
#[derive(Clone, Debug)]
pub struct ModelState {
    pub(crate) layers: Vec<MixerState>,
    pub(crate) position: usize,
}

impl ModelState {
    /// Number of tokens seen.
    pub fn position(&self) -> usize {
        self.position
    }

    /// The state of some rows of the batch, in any order and any number of times.
    #[must_use]
    pub fn select(&self, rows: &[usize], device: &Device) -> Self {
        let rows = row_ids(rows, device);
        let layers = self.layers.iter().map(|layer| layer.select(&rows)).collect();
        ModelState { layers, position: self.position }
    }

    /// Numbers held for all layers together.
    pub fn size(&self) -> usize {
        self.layers.iter().map(MixerState::size).sum()
    }
}

impl LanguageModel {
    pub(crate) fn new(
        config: &ModelConfig,
        vocabulary: usize,
        builder: &Builder,
    ) -> Result<Self, ModelError> {
        let sizes = EmbeddingSizes::of(config, vocabulary);
        Ok(LanguageModel {
            embedding: Embedding::new(&config.embedding, sizes, &builder.child("embedding")),
            backbone: Backbone::new(config, config.stack(), None, &builder.child("backbone"))?,
            head: config.head.init(vocabulary, config.width, &builder.child("head")),
        })
    }

    /// What turns tokens into vectors; its parameters live under `embedding`.
    pub fn embedding(&self) -> &Embedding {
        &self.embedding
    }

    /// The blocks; their parameters live under `backbone`.
    pub fn backbone(&self) -> &Backbone {
        &self.backbone
    }

    /// Final hidden vectors `[batch, n, width]` of token ids `[batch, n]`.
    pub fn hidden(&self, tokens: Tensor<2, Int>, context: &Context) -> Tensor<3> {
        let x = self.embedding.forward(tokens, context);
        self.backbone.forward(x, context)
    }

    /// The output projection: matrix `[vocabulary, width]` and bias `[vocabulary]`.
    pub fn output_weight(&self) -> (Tensor<2>, Option<Tensor<1>>) {
        self.head.projection(&self.embedding)
    }

    /// Logits `[batch, n, vocabulary]` of hidden vectors `[batch, n, width]`. Training never holds them
    /// whole: it hands [`LanguageModel::output_weight`] to the fused cross-entropy.
    pub fn logits(&self, hidden: Tensor<3>) -> Tensor<3> {
        self.head.logits(&self.embedding, hidden)
    }

    /// An empty streaming state for `batch` sequences.
    ///
    /// # Errors
    /// [`ModelError::Unsupported`] if the mixer has no streaming form, with the reason and a remedy.
    pub fn state(&self, batch: usize) -> Result<ModelState, ModelError> {
        Ok(ModelState { layers: self.backbone.state(batch)?, position: 0 })
    }

    /// Hidden vectors of the next tokens `[batch, k]`, any k, as the causal full pass would give them.
    pub fn step(&self, tokens: Tensor<2, Int>, state: &mut ModelState) -> Tensor<3> {
        let [batch, count] = tokens.dims();
        let context = Context { start: state.position, ..Context::evaluation(batch, true) };
        let x = self.embedding.forward(tokens, &context);
        let hidden = self.backbone.step(x, &mut state.layers, &context);
        state.position += count;
        hidden
    }
}
