//! The two streams of the model.

use burn::module::Module;
use burn::tensor::{Int, Tensor};
use mixlab_kernels::Mask;

use super::{Bottleneck, LatentConfig, Moments, PosteriorInput};
use crate::backbone::Backbone;
use crate::embed::{Embedding, EmbeddingSizes};
use crate::head::{Head, Output};
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

/// What the encoder says of some texts.
#[derive(Clone, Debug, Default)]
pub struct Encoded {
    /// The latents `[b, latent]`, the lowest first.
    pub latents: Vec<Tensor<2>>,
    /// What the posterior of each is made of, `[b, numbers]`.
    pub posteriors: Vec<Tensor<2>>,
    /// By what the means of each were normalised or whitened, in training, of models that do so.
    pub moments: Vec<Moments>,
}

impl TextVae {
    pub(crate) fn new(
        config: &LatentConfig,
        model: &ModelConfig,
        posterior: PosteriorInput,
        vocabulary: usize,
        builder: &Builder,
    ) -> Result<Self, ModelError> {
        // Positions of both halves.
        let both = ModelConfig { max_length: 2 * model.max_length, ..model.clone() };
        let sizes = EmbeddingSizes::of(&both, vocabulary);
        let bottleneck = |index: usize| {
            let builder = builder.child(&format!("bottlenecks.{index}"));
            Bottleneck::new(model.width, posterior, config, &builder)
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

    /// The moments by which the means of each latent are normalised or whitened outside of training, with the paths of the parameters that
    /// hold mean and spread; none of models that do neither.
    pub fn running_moments(&self) -> Vec<([String; 2], Moments)> {
        let of = |(index, bottleneck): (usize, &Bottleneck)| {
            let (names, running) = bottleneck.normalisation.as_ref()?.running();
            Some((names.map(|name| format!("bottlenecks.{index}.normalisation.{name}")), running))
        };
        self.bottlenecks.iter().enumerate().filter_map(of).collect()
    }

    /// Longest text in tokens, with those around it.
    pub fn max_length(&self) -> usize {
        self.length
    }

    /// The latents of texts `[b, n]`. `draw` is given the number of a latent, from 0 for the lowest, and what its posterior is made of,
    /// `[b, numbers]`, and gives the latent `[b, latent]`, on which those above depend. Padding is in the mask of `context`.
    ///
    /// # Panics
    /// If the first token of a text is padding, or `draw` gives latents of another width.
    pub fn encode(
        &self,
        tokens: Tensor<2, Int>,
        context: &Context,
        draw: impl FnMut(usize, Tensor<2>) -> Tensor<2>,
    ) -> Encoded {
        self.read(tokens, &reading(context), draw).0
    }

    /// The same with the final hidden vectors `[b, n, d]` of the encoder, which nothing but the reference's loss has a use for.
    pub fn encode_to_the_end(
        &self,
        tokens: Tensor<2, Int>,
        context: &Context,
        draw: impl FnMut(usize, Tensor<2>) -> Tensor<2>,
    ) -> (Encoded, Tensor<3>) {
        let context = reading(context);
        let (encoded, x) = self.read(tokens, &context, draw);
        let layers = self.backbone.blocks().len();
        let (bottleneck, latent) =
            self.bottlenecks.iter().zip(&encoded.latents).next_back().expect("a model has latents");
        let others = x.dims()[1] - 1;
        let x = with_first(bottleneck.write(latent.clone()), x.narrow(1, 1, others));
        (encoded, self.backbone.finish(self.backbone.run(layers - 1..layers, x, &context)))
    }

    /// The latents, and what the last layer would be given but for the last latent.
    fn read(
        &self,
        tokens: Tensor<2, Int>,
        context: &Context,
        mut draw: impl FnMut(usize, Tensor<2>) -> Tensor<2>,
    ) -> (Encoded, Tensor<3>) {
        let length = tokens.dims()[1];
        let mut x = self.embedding.forward_as(tokens, ENCODER, context);
        x = self.backbone.run(0..self.lower(), x, context);
        let mut encoded = Encoded::default();
        for (index, bottleneck) in self.bottlenecks.iter().enumerate() {
            if index > 0 {
                let below = self.lower() + index - 1;
                x = self.backbone.run(below..below + 1, x, context);
            }
            let (made_of, moments) = bottleneck.read(x.clone().narrow(1, 0, 1), context.mode);
            let latent = draw(index, made_of.clone());
            if index + 1 < self.latents() {
                x = with_first(bottleneck.write(latent.clone()), x.narrow(1, 1, length - 1));
            }
            encoded.latents.push(latent);
            encoded.posteriors.push(made_of);
            encoded.moments.extend(moments);
        }
        (encoded, x)
    }

    /// Final hidden vectors `[b, m, d]` of the decoder for tokens `[b, m]`, the first of which begins the text: each sees those before it,
    /// and the latents. What follows a text's end may be anything; the mask of `context` may name it as padding, which no one sees.
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
            ..context.clone()
        };
        let mut y = self.embedding.forward_as(tokens, DECODER, &text);
        y = self.backbone.run(0..self.lower(), y, &text);
        let mask = below_a_row(&text.mask, count);
        let below_latent = Context { start: 0, gap: self.length - 1, mask, ..text };
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

    /// The output projection as writing token by token wants it, of a model without gradient tracking.
    pub fn output(&self) -> Output {
        Output::new(self.output_weight())
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

/// What the encoder reads with: it sees both sides.
fn reading(context: &Context) -> Context {
    Context { causal: false, start: 0, gap: 0, ..context.clone() }
}

/// The mask of rows of `length` positions with one that is real in front of each.
fn below_a_row(mask: &Mask, length: usize) -> Mask {
    let padding = mask.padding.as_ref().map(|padding| {
        padding.chunks(length).flat_map(|row| [true].into_iter().chain(row.iter().copied())).collect()
    });
    Mask { padding, segments: None }
}

fn with_first(first: Tensor<3>, others: Tensor<3>) -> Tensor<3> {
    Tensor::cat(vec![first, others], 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_in_front_is_never_padding() {
        let mask = Mask { padding: Some([true, false, true, true].into()), segments: None };
        assert_eq!(*below_a_row(&mask, 2).padding.unwrap(), [true, true, false, true, true, true]);
        assert!(below_a_row(&Mask::default(), 2).padding.is_none());
    }
}
