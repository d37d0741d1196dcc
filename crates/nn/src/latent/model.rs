//! The two streams of the model.

use burn::module::Module;
use burn::tensor::{Int, Tensor};
use mixlab_kernels::Mask;

use super::{Bottleneck, LatentConfig};
use crate::backbone::Backbone;
use crate::embed::{Embedding, EmbeddingSizes};
use crate::head::Head;
use crate::{Builder, Context, ModelConfig, ModelError, ModelState};

/// The token types of encoder and decoder, where the embedding has types.
const ENCODER: usize = 0;
const DECODER: usize = 1;

/// Encoder and decoder of texts in one stack of blocks.
#[derive(Module, Debug)]
pub struct TextVae {
    embedding: Embedding,
    backbone: Backbone,
    /// Of the upper layers, the lowest first.
    bottlenecks: Vec<Bottleneck>,
    head: Head,
    /// Positions of the encoder, behind which the decoder begins.
    #[module(skip)]
    length: usize,
}

impl TextVae {
    /// `outputs` is how many numbers the posterior of a latent is made of.
    pub(crate) fn new(
        config: &LatentConfig,
        model: &ModelConfig,
        outputs: usize,
        vocabulary: usize,
        builder: &Builder,
    ) -> Result<Self, ModelError> {
        // Positions of both halves.
        let both = ModelConfig { max_length: 2 * model.max_length, ..model.clone() };
        let sizes = EmbeddingSizes::of(&both, vocabulary);
        let bottleneck = |index: usize| {
            let builder = builder.child(&format!("bottlenecks.{index}"));
            Bottleneck::new(model.width, outputs, config.width, &builder)
        };
        Ok(TextVae {
            embedding: Embedding::new(&model.embedding, sizes, &builder.child("embedding")),
            backbone: Backbone::new(&both, both.stack(), None, &builder.child("backbone"))?,
            bottlenecks: (0..config.layers).map(bottleneck).collect(),
            head: model.head.init(vocabulary, model.width, &builder.child("head")),
            length: model.max_length,
        })
    }

    /// Number of latents of a text.
    pub fn latents(&self) -> usize {
        self.bottlenecks.len()
    }

    /// Longest text in tokens, with those around it.
    pub fn max_length(&self) -> usize {
        self.length
    }

    /// The latents `[b, latent]` of texts `[b, n]`, the lowest first. `draw` is given the number of a latent and what its posterior is made
    /// of, `[b, outputs]`, and gives the latent, on which those above depend. Padding is in the mask of `context`.
    ///
    /// # Panics
    /// If the first token of a text is padding, or `draw` gives latents of another width.
    pub fn encode(
        &self,
        tokens: Tensor<2, Int>,
        context: &Context,
        mut draw: impl FnMut(usize, Tensor<2>) -> Tensor<2>,
    ) -> Vec<Tensor<2>> {
        let context = Context { causal: false, start: 0, gap: 0, ..context.clone() };
        let length = tokens.dims()[1];
        let mut x = self.embedding.forward_as(tokens, ENCODER, &context);
        x = self.backbone.run(0..self.lower(), x, &context);
        let mut latents: Vec<Tensor<2>> = Vec::with_capacity(self.latents());
        for (index, bottleneck) in self.bottlenecks.iter().enumerate() {
            if index > 0 {
                let below = self.lower() + index - 1;
                x = self.backbone.run(below..below + 1, x, &context);
            }
            let latent = draw(index, bottleneck.read(x.clone().narrow(1, 0, 1)));
            // What the last layer would make of it nobody reads.
            if index + 1 < self.latents() {
                x = with_first(bottleneck.write(latent.clone()), x.narrow(1, 1, length - 1));
            }
            latents.push(latent);
        }
        latents
    }

    /// Final hidden vectors `[b, m, d]` of the decoder for tokens `[b, m]`, the first of which begins the text: each sees those before it,
    /// and the latents. What follows a text's end may be anything.
    ///
    /// # Panics
    /// If there are not as many latents as layers with one.
    pub fn decode(&self, latents: &[Tensor<2>], tokens: Tensor<2, Int>, context: &Context) -> Tensor<3> {
        assert_eq!(latents.len(), self.latents(), "latents of the model");
        let count = tokens.dims()[1];
        let text = Context {
            causal: true,
            start: self.length,
            // Noise of its own.
            key: context.key.view(DECODER as u64),
            mask: Mask::default(),
            ..context.clone()
        };
        let mut y = self.embedding.forward_as(tokens, DECODER, &text);
        y = self.backbone.run(0..self.lower(), y, &text);
        let below_latent = Context { start: 0, gap: self.length - 1, ..text };
        for (index, (bottleneck, latent)) in self.bottlenecks.iter().zip(latents).enumerate() {
            let layer = self.lower() + index;
            let rows = with_first(bottleneck.write(latent.clone()), y);
            y = self.backbone.run(layer..layer + 1, rows, &below_latent).narrow(1, 1, count);
        }
        self.backbone.finish(y)
    }

    /// A decoder that has read the latents of some texts and no token yet.
    ///
    /// # Errors
    /// [`ModelError::Unsupported`] if the mixer has no streaming form.
    pub fn state(&self, latents: &[Tensor<2>]) -> Result<ModelState, ModelError> {
        assert_eq!(latents.len(), self.latents(), "latents of the model");
        let batch = latents[0].dims()[0];
        let mut layers = self.backbone.state(batch)?;
        let context = Context { gap: self.length - 1, ..Context::evaluation(batch, true) };
        let upper = self.backbone.blocks()[self.lower()..].iter().zip(&mut layers[self.lower()..]);
        for ((block, state), (bottleneck, latent)) in upper.zip(self.bottlenecks.iter().zip(latents)) {
            block.step(bottleneck.write(latent.clone()), state, &context);
        }
        Ok(ModelState { layers, position: 0 })
    }

    /// Hidden vectors of the next tokens `[b, k]`, any k, as the full pass would give them.
    pub fn step(&self, tokens: Tensor<2, Int>, state: &mut ModelState) -> Tensor<3> {
        let [batch, count] = tokens.dims();
        let at = |start, gap| Context { start, gap, ..Context::evaluation(batch, true) };
        let embedded = at(self.length + state.position, 0);
        let mut y = self.embedding.forward_as(tokens, DECODER, &embedded);
        // Below the latents only distances count, and a state counts from 0.
        let (below, above) = (at(state.position, 0), at(1 + state.position, self.length - 1));
        for (layer, (block, memory)) in self.backbone.blocks().iter().zip(&mut state.layers).enumerate() {
            let context = if layer < self.lower() { &below } else { &above };
            y = block.step(y, memory, context);
        }
        state.position += count;
        self.backbone.finish(y)
    }

    /// The output projection: matrix `[vocabulary, width]` and bias `[vocabulary]`.
    pub fn output_weight(&self) -> (Tensor<2>, Option<Tensor<1>>) {
        self.head.projection(&self.embedding)
    }

    /// Logits `[b, m, vocabulary]` of hidden vectors `[b, m, d]`.
    pub fn logits(&self, hidden: Tensor<3>) -> Tensor<3> {
        self.head.logits(&self.embedding, hidden)
    }

    /// Layers without a latent.
    fn lower(&self) -> usize {
        self.backbone.blocks().len() - self.bottlenecks.len()
    }
}

fn with_first(first: Tensor<3>, others: Tensor<3>) -> Tensor<3> {
    Tensor::cat(vec![first, others], 1)
}
