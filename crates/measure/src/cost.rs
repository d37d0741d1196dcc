//! How much arithmetic an update is, counted from the config.
//!
//! The convention: multiply–adds of products only, which is what a perfect implementation cannot avoid. A
//! causal mixer is counted for the pairs it may look at, not for the square. The backward pass of a product is
//! two products of the same size, so an update is three times its forward pass. Norms, activations, rotations,
//! look-ups and the optimiser are not counted: they are bounded by memory, not by arithmetic.

use mixlab_nn::ModelConfig;
use mixlab_nn::mixer::MixerConfig;

/// Multiply–adds of one forward pass over `rows` sequences of `length` tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MultiplyAdds {
    /// Products of tokens with the weight matrices of the blocks.
    pub matrices: f64,
    /// Products of tokens with tokens, or with sums over tokens.
    pub mixing: f64,
    /// The output projection of the tokens that have a target.
    pub head: f64,
}

impl MultiplyAdds {
    /// Of a model. `matrix_parameters` is the number of values in the weight matrices of its blocks, `targets`
    /// the share of tokens with a target.
    pub fn of(
        model: &ModelConfig,
        matrix_parameters: usize,
        vocabulary: usize,
        (rows, length): (usize, usize),
        causal: bool,
        targets: f64,
    ) -> Self {
        let tokens = (rows * length) as f64;
        let layers = model.blocks() as f64;
        MultiplyAdds {
            matrices: tokens * matrix_parameters as f64,
            mixing: tokens * layers * mixing_per_token(&model.mixer, model.width, length, causal),
            head: tokens * targets * (vocabulary * model.width) as f64,
        }
    }

    /// Of the forward pass.
    pub fn forward(&self) -> f64 {
        self.matrices + self.mixing + self.head
    }

    /// Floating-point operations of an update: two for each multiply–add, forward and twice backward.
    pub fn update_operations(&self) -> f64 {
        6.0 * self.forward()
    }
}

/// Multiply–adds of one token with other tokens in one layer, forward, on average over a sequence.
fn mixing_per_token(mixer: &MixerConfig, width: usize, length: usize, causal: bool) -> f64 {
    let visible = |span: usize| if causal { (span as f64 + 1.0) / 2.0 } else { span as f64 };
    let d = width as f64;
    match mixer {
        // Scores and weighted values: d each a pair, whatever the number of heads.
        MixerConfig::SoftmaxAttention(_) => 2.0 * d * visible(length),
        // The sum of products grows by d_h² a head and is read once.
        MixerConfig::LinearAttention(config) => 2.0 * d * d / config.heads as f64,
        MixerConfig::Gau(config) => (config.key_width as f64 + config.expansion * d) * visible(length),
        // Quadratic inside a chunk; between chunks a sum of size s·e, grown and read. A causal model does not read it
        // in its first chunk and need not grow it in its last.
        MixerConfig::Flash(config) => {
            let (s, e) = (config.key_width as f64, config.expansion * d);
            let chunk = config.chunk.min(length);
            let share = if causal { 1.0 - chunk as f64 / length as f64 } else { 1.0 };
            (s + e) * visible(chunk) + 2.0 * s * e * share
        }
    }
}

#[cfg(test)]
mod tests {
    use mixlab_nn::ModelConfig;
    use mixlab_nn::mixer::{FlashConfig, GauConfig, MixerConfig, NormaliserConfig, SoftmaxAttentionConfig};

    use super::MultiplyAdds;

    /// Four blocks of width 256 over a vocabulary of 8192, 8 × 256 tokens, by hand: 12·256² parameters a block.
    #[test]
    fn a_small_transformer_by_hand() {
        let model = ModelConfig::new(MixerConfig::SoftmaxAttention(SoftmaxAttentionConfig::default()));
        let cost = MultiplyAdds::of(&model, 4 * 12 * 256 * 256, 8192, (8, 256), true, 1.0);
        assert_eq!(cost.matrices, 2048.0 * 3_145_728.0);
        assert_eq!(cost.mixing, 2048.0 * 4.0 * 512.0 * 128.5);
        assert_eq!(cost.head, 2048.0 * 2_097_152.0);
        assert_eq!(cost.update_operations() / 1e9, 67.658_317_824);
    }

    #[test]
    fn one_causal_chunk_of_flash_is_a_gated_attention_unit() {
        let mixing = |mixer: MixerConfig, length, causal| {
            MultiplyAdds::of(&ModelConfig::new(mixer), 0, 10, (1, length), causal, 1.0).mixing / length as f64
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
        assert!((flash(256, true) - gau(64, true) - 0.75 * sums).abs() < 1e-6);
    }

    #[test]
    fn both_directions_look_at_twice_the_pairs_less_the_diagonal() {
        let model = ModelConfig::new(MixerConfig::SoftmaxAttention(SoftmaxAttentionConfig::default()));
        let mixing = |causal| MultiplyAdds::of(&model, 0, 10, (1, 9), causal, 1.0).mixing;
        assert_eq!(mixing(false) / mixing(true), 9.0 / 5.0);
    }
}
