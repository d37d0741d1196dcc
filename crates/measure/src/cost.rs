//! How much arithmetic an update is, counted from the config.
//!
//! The convention: multiply–adds of products only, which is what a perfect implementation cannot avoid. A
//! causal mixer is counted for the pairs it may look at, not for the square. The backward pass of a product is
//! two products of the same size, so an update is three times its forward pass. Norms, activations, rotations,
//! look-ups and the optimiser are not counted: they are bounded by memory, not by arithmetic.

use mixlab_nn::embed::ImageShape;
use mixlab_nn::mixer::{MixerCost, Place};
use mixlab_nn::{ClassifierInput, ModelConfig};
use serde::Serialize;

/// Multiply–adds of one forward pass over `rows` sequences of `length` tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MultiplyAdds {
    /// Products of tokens with the weight matrices of the token mixers.
    pub projections: u64,
    /// Products of tokens with tokens, with sums over tokens, or with weights of positions.
    pub mixing: u64,
    /// The channel mixers.
    pub channels: u64,
    /// What turns inputs into vectors, if that is a product.
    pub embedding: u64,
    /// The output projection of the tokens that have a target, or the readout of every sequence.
    pub head: u64,
    /// Numbers that a plain implementation would store for the pairs of tokens.
    pub scores: u64,
}

impl MultiplyAdds {
    /// Of the blocks of a model.
    pub fn of_blocks(model: &ModelConfig, (rows, length): (usize, usize), causal: bool) -> Self {
        let (mut mixers, mut channels) = (MixerCost::default(), 0);
        for layer in 0..model.blocks() {
            let place = Place { width: model.width, max_length: model.max_length, layer };
            mixers = mixers + model.mixer_of(layer).cost(place, length, causal);
            channels += length as u64 * model.channel_of(layer).multiply_adds(model.width);
        }
        let mixers = mixers * rows as u64;
        MultiplyAdds {
            projections: mixers.projections,
            mixing: mixers.mixing,
            channels: rows as u64 * channels,
            scores: mixers.scores,
            ..MultiplyAdds::default()
        }
    }

    /// Of a language model; `targets` is the share of tokens with a target.
    pub fn of_language_model(
        model: &ModelConfig,
        vocabulary: usize,
        (rows, length): (usize, usize),
        causal: bool,
        targets: f64,
    ) -> Self {
        let tokens = (rows * length) as u64;
        let scored = (tokens as f64 * targets).round() as u64;
        let width = model.width as u64;
        MultiplyAdds {
            head: scored * vocabulary as u64 * width,
            embedding: if model.embedding.projection { tokens * width * width } else { 0 },
            ..MultiplyAdds::of_blocks(model, (rows, length), causal)
        }
    }

    /// Of a text VAE: every row goes through the blocks as a text that is read, and as one that is written, one token shorter. What latents
    /// pass through is left out: it is a row of each text.
    pub fn of_text_vae(model: &ModelConfig, vocabulary: usize, (rows, length): (usize, usize)) -> Self {
        let read = MultiplyAdds::of_blocks(model, (rows, length), false);
        let shape = (rows, length.saturating_sub(1));
        let written = MultiplyAdds::of_language_model(model, vocabulary, shape, true, 1.0);
        let width = model.width as u64;
        let texts = if model.embedding.projection { (rows * length) as u64 * width * width } else { 0 };
        MultiplyAdds { embedding: texts, ..read } + written
    }

    /// Of an encoder–decoder that reads `source` positions and writes `target`.
    ///
    /// # Panics
    /// If the model has no encoder.
    pub fn of_sequence_to_sequence(
        model: &ModelConfig,
        vocabulary: usize,
        rows: usize,
        [source, target]: [usize; 2],
    ) -> Self {
        let encoder = model.encoder.as_ref().expect("an encoder–decoder");
        let read = MultiplyAdds::of_blocks(&encoder.model(model), (rows, source), false);
        let written = MultiplyAdds::of_language_model(model, vocabulary, (rows, target), true, 1.0);
        let cross = encoder.cross.cost(model.width, [source, target]) * (rows * model.blocks()) as u64;
        let width = model.width as u64;
        let sources = if model.embedding.projection { (rows * source) as u64 * width * width } else { 0 };
        let MixerCost { projections, mixing, scores, .. } = cross;
        let attended = MultiplyAdds { projections, mixing, scores, ..MultiplyAdds::default() };
        MultiplyAdds { embedding: sources, ..read } + written + attended
    }

    /// Of a classifier whose rows have `length` positions; `model` is made for its input
    /// ([`ModelConfig::for_input`]).
    pub fn of_classifier(
        model: &ModelConfig,
        input: ClassifierInput,
        classes: usize,
        (rows, length): (usize, usize),
    ) -> Self {
        // A class token is no patch.
        let patch = |image: ImageShape| {
            let count = model.patch.count(image).unwrap_or(length);
            count * model.patch.size * model.patch.size * image.channels
        };
        let width = model.width as u64;
        let inputs = match input {
            ClassifierInput::Images(image) => patch(image) as u64,
            ClassifierInput::Tokens { .. } if model.embedding.projection => length as u64 * width,
            ClassifierInput::Tokens { .. } => 0,
        };
        let dense = if model.readout.dense { width * width } else { 0 };
        MultiplyAdds {
            embedding: rows as u64 * inputs * width,
            head: rows as u64 * (classes as u64 * width + dense),
            ..MultiplyAdds::of_blocks(model, (rows, length), false)
        }
    }

    /// Of the forward pass.
    pub fn forward(&self) -> u64 {
        self.projections + self.mixing + self.channels + self.embedding + self.head
    }

    /// Floating-point operations of an update: two for each multiply–add, forward and twice backward.
    pub fn update_operations(&self) -> f64 {
        6.0 * self.forward() as f64
    }
}

impl std::ops::Add for MultiplyAdds {
    type Output = MultiplyAdds;

    fn add(self, other: MultiplyAdds) -> MultiplyAdds {
        MultiplyAdds {
            projections: self.projections + other.projections,
            mixing: self.mixing + other.mixing,
            channels: self.channels + other.channels,
            embedding: self.embedding + other.embedding,
            head: self.head + other.head,
            scores: self.scores + other.scores,
        }
    }
}

#[cfg(test)]
mod tests {
    use mixlab_nn::ModelConfig;
    use mixlab_nn::mixer::{FlashConfig, GauConfig, MixerConfig, NormaliserConfig, SoftmaxAttentionConfig};

    use mixlab_nn::seq2seq::{CrossAttentionConfig, EncoderConfig, SoftmaxCrossConfig};

    use super::MultiplyAdds;

    /// Four blocks of width 256 over a vocabulary of 8192, 8 × 256 tokens, by hand: 12·256² parameters a block.
    #[test]
    fn a_small_transformer_by_hand() {
        let model = ModelConfig::new(MixerConfig::SoftmaxAttention(SoftmaxAttentionConfig::default()));
        let cost = MultiplyAdds::of_language_model(&model, 8192, (8, 256), true, 1.0);
        assert_eq!(cost.projections + cost.channels, 2048 * 3_145_728);
        assert_eq!(cost.mixing, 2048 * 4 * 512 * 257 / 2);
        assert_eq!(cost.head, 2048 * 2_097_152);
        assert_eq!(cost.update_operations() / 1e9, 67.658_317_824);
    }

    #[test]
    fn one_causal_chunk_of_flash_is_a_gated_attention_unit() {
        let mixing = |mixer: MixerConfig, length, causal| {
            MultiplyAdds::of_blocks(&ModelConfig::new(mixer), (1, length), causal).mixing
        };
        let flash = |length, causal| {
            mixing(MixerConfig::Flash(FlashConfig { chunk: 64, ..FlashConfig::default() }), length, causal)
        };
        let gau = |length, causal| {
            mixing(MixerConfig::Gau(GauConfig::new(NormaliserConfig::Softmax)), length, causal)
        };
        assert_eq!(flash(64, true), gau(64, true));
        let sums = flash(64, false) - gau(64, false);
        // Of four causal chunks three are summed and three read sums.
        assert_eq!(flash(256, true) - 4 * gau(64, true), 3 * sums);
    }

    /// Two blocks each of width 8: 12·64 parameters a block, and four square matrices of cross-attention.
    #[test]
    fn an_encoder_decoder_by_hand() {
        let cross =
            CrossAttentionConfig::SoftmaxAttention(SoftmaxCrossConfig { heads: 2, ..Default::default() });
        let model = ModelConfig {
            width: 8,
            depth: 2,
            encoder: Some(EncoderConfig { cross, ..EncoderConfig::default() }),
            ..ModelConfig::new(MixerConfig::SoftmaxAttention(SoftmaxAttentionConfig::default()))
        };
        let cost = MultiplyAdds::of_sequence_to_sequence(&model, 100, 3, [5, 7]);
        // Keys and values of the source, queries and outputs of the target.
        let cross = 2 * (5 * 2 + 7 * 2) * 64;
        assert_eq!(cost.projections + cost.channels, 3 * ((5 + 7) * 2 * 768 + cross));
        assert_eq!(cost.mixing, 3 * 2 * 2 * 8 * (5 * 5 + 7 * 8 / 2 + 5 * 7));
        assert_eq!(cost.head, 3 * 7 * 100 * 8);
    }

    /// The same blocks read 5 tokens and write 4.
    #[test]
    fn a_text_vae_by_hand() {
        let model = ModelConfig {
            width: 8,
            depth: 2,
            ..ModelConfig::new(MixerConfig::SoftmaxAttention(SoftmaxAttentionConfig {
                heads: 2,
                ..Default::default()
            }))
        };
        let cost = MultiplyAdds::of_text_vae(&model, 100, (3, 5));
        assert_eq!(cost.projections + cost.channels, 3 * (5 + 4) * 2 * 768);
        assert_eq!(cost.mixing, 3 * 2 * 2 * 8 * (5 * 5 + 4 * 5 / 2));
        assert_eq!(cost.head, 3 * 4 * 100 * 8);
    }

    #[test]
    fn both_directions_look_at_twice_the_pairs_less_the_diagonal() {
        let model = ModelConfig::new(MixerConfig::SoftmaxAttention(SoftmaxAttentionConfig::default()));
        let mixing = |causal| MultiplyAdds::of_blocks(&model, (1, 9), causal).mixing;
        assert_eq!(mixing(false) * 5, mixing(true) * 9);
    }
}
