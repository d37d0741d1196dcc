//! The unit of comparison, and its arithmetic by formula and by count.

use mixlab_nn::ModelConfig;
use mixlab_nn::mixer::{MixerConfig, Place};

use super::Crossing;
use super::formula::{LayerShape, pairs};
use super::polynomial::Polynomial;

/// What is compared, in words.
pub(super) const UNIT: &str = "one block: a mixing layer and its channel mixer, an MLP of 8 width² weights; or what replaces both: two gated attention units, or one unit of gMLP";

/// What is counted, in words.
pub(super) const CONVENTION: &str =
    "multiply-adds of products (a multiplication each in the cost model), forward, for one sequence";

/// Mixing layers of one block: two gated attention units stand for an attention layer and its channel mixer (Hua et al.
/// 2022, section 2.2); a unit of gMLP, of 9 width² weights, for one.
fn layers(mixer: &MixerConfig) -> usize {
    match mixer {
        MixerConfig::Gau(_) | MixerConfig::Flash(_) => 2,
        MixerConfig::SoftmaxAttention(_)
        | MixerConfig::LinearAttention(_)
        | MixerConfig::MlpMixer(_)
        | MixerConfig::FfOnly(_)
        | MixerConfig::ResMlp(_)
        | MixerConfig::Gmlp(_)
        | MixerConfig::Fnet(_)
        | MixerConfig::ExternalAttention(_)
        | MixerConfig::Convolution(_)
        | MixerConfig::Synthesizer(_) => 1,
    }
}

/// A model of one block around `mixer`.
pub(super) fn block_config(mixer: &MixerConfig, width: usize, length: usize) -> ModelConfig {
    ModelConfig {
        width,
        max_length: length,
        depth: layers(mixer).div_ceil(mixer.layers_per_block().max(1)),
        ..ModelConfig::new(mixer.clone())
    }
}

/// Multiply–adds of one mixing layer, its projections and the mixing itself, forward over one sequence.
fn layer_multiply_adds(mixer: &MixerConfig, width: usize, length: usize, causal: bool) -> f64 {
    let place = Place { width, max_length: length, layer: 0 };
    mixer.cost(place, length, causal).multiply_adds() as f64
}

/// Counts the block of a mixer at any length.
pub(super) struct BlockCount<'a> {
    mixer: &'a MixerConfig,
    width: usize,
    causal: bool,
    layers: f64,
    channel: Polynomial,
}

impl<'a> BlockCount<'a> {
    pub fn new(mixer: &'a MixerConfig, shape: LayerShape, causal: bool) -> Self {
        let layers = block_config(mixer, shape.width(), 1).blocks() as f64;
        let channel = if mixer.has_own_gate() { Polynomial::default() } else { shape.feed_forward() };
        BlockCount { mixer, width: shape.width(), causal, layers, channel }
    }

    /// Multiply–adds, forward over one sequence.
    pub fn at(&self, length: usize) -> f64 {
        let layer = layer_multiply_adds(self.mixer, self.width, length, self.causal);
        self.layers * layer + self.channel.at(length as f64)
    }

    /// Where it counts less than another block.
    pub fn below(&self, other: &BlockCount<'_>) -> Crossing {
        Crossing::of_counts(|length| self.at(length) < other.at(length))
    }
}

/// Multiplications of a block by the formula that was published for it, if there is one: for attention the cost model,
/// for gated units n(3de + ds) + n²(s + e), and n(3de + ds + c(s + e) + 2se) with chunks of c (Hua et al. 2022).
pub(super) fn published(mixer: &MixerConfig, shape: LayerShape, causal: bool) -> Option<Polynomial> {
    let d = shape.width() as f64;
    let sizes = |key_width: usize, expansion: f64| (key_width as f64, (expansion * d).round());
    let layers = layers(mixer) as f64;
    match mixer {
        MixerConfig::SoftmaxAttention(_) => Some(shape.softmax_block(causal)),
        MixerConfig::LinearAttention(_) => Some(shape.linear_block()),
        MixerConfig::Gau(config) => {
            let (s, e) = sizes(config.key_width, config.expansion);
            Some((Polynomial::N * (3.0 * d * e + d * s) + pairs(causal) * (s + e)) * layers)
        }
        MixerConfig::Flash(config) => {
            let (s, e) = sizes(config.key_width, config.expansion);
            let seen = pairs(causal).at(config.chunk as f64) / config.chunk as f64;
            Some(Polynomial::N * ((3.0 * d * e + d * s + seen * (s + e) + 2.0 * s * e) * layers))
        }
        MixerConfig::MlpMixer(_)
        | MixerConfig::FfOnly(_)
        | MixerConfig::ResMlp(_)
        | MixerConfig::Gmlp(_)
        | MixerConfig::Fnet(_)
        | MixerConfig::ExternalAttention(_)
        | MixerConfig::Convolution(_)
        | MixerConfig::Synthesizer(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::with_heads;
    use super::*;

    const BASE: LayerShape = LayerShape { heads: 12, head_width: 64 };

    fn mixer(name: &str) -> MixerConfig {
        let found = MixerConfig::catalogue().into_iter().find(|mixer| mixer.name() == name);
        with_heads(&found.expect("a mixer"), BASE.heads).expect("a mixer with heads")
    }

    fn billions(name: &str, length: usize) -> String {
        let cost = published(&mixer(name), BASE, false).expect("a formula").at(length as f64);
        format!("{:.2}", cost / 1e9)
    }

    /// The published formulas at width 768, in 10⁹ multiply–adds.
    #[test]
    fn blocks_by_formula() {
        for (length, softmax, gau, flash, linear) in [
            (512, "4.03", "4.60", "4.56", "3.67"),
            (1024, "8.86", "10.94", "9.13", "7.35"),
            (2048, "20.94", "28.86", "18.25", "14.70"),
            (4096, "54.76", "85.63", "36.51", "29.39"),
            (8192, "161.06", "282.93", "73.01", "58.79"),
        ] {
            let names = ["softmax_attention", "gau", "flash", "linear_attention"];
            assert_eq!(names.map(|name| billions(name, length)), [softmax, gau, flash, linear]);
        }
    }

    #[test]
    fn chunks_pay_against_the_full_unit_from_492() {
        let [flash, gau] = ["flash", "gau"].map(|name| published(&mixer(name), BASE, false).unwrap());
        assert_eq!(flash.below(gau), Crossing::Above { length: 492 });
    }

    /// Beyond one chunk, where the formula holds: up to the first causal chunk, which reads no sums, and the denominator
    /// of linear attention, one number a channel, both agree.
    #[test]
    fn counts_equal_the_published_formulas() {
        for config in MixerConfig::catalogue() {
            let config = with_heads(&config, BASE.heads).expect("a mixer with heads");
            for causal in [false, true] {
                let Some(formula) = published(&config, BASE, causal) else { continue };
                let count = BlockCount::new(&config, BASE, causal);
                let exempt = causal && config.name() == "flash";
                for length in [256, 1024, 4096] {
                    let denominator = if config.name() == "linear_attention" { 768 * length } else { 0 };
                    let (count, formula) = (count.at(length) - denominator as f64, formula.at(length as f64));
                    let tolerance = if exempt { 0.1 * 256.0 / length as f64 } else { 1e-12 };
                    assert!((count / formula - 1.0).abs() < tolerance, "{}, {length}", config.name());
                }
            }
        }
    }

    #[test]
    fn crossings_of_the_base_size() {
        let softmax = mixer("softmax_attention");
        let crossing = |name: &str, causal| {
            let mixer = mixer(name);
            BlockCount::new(&mixer, BASE, causal).below(&BlockCount::new(&softmax, BASE, causal))
        };
        assert_eq!(crossing("linear_attention", false), Crossing::Above { length: 64 });
        assert_eq!(crossing("linear_attention", true), Crossing::Above { length: 128 });
        assert_eq!(crossing("gau", false), Crossing::Never);
        // 2(3de + ds + c(s + e) + 2se) − 12d² over 2d: (8,912,896 − 7,077,888)/1536.
        // Above 1194 with whole chunks; a shorter last chunk looks at fewer pairs.
        assert_eq!(crossing("flash", false), Crossing::Above { length: 1164 });
        assert_eq!(crossing("softmax_attention", false), Crossing::Never, "equal is not cheaper");
    }

    /// A block of any mixer has about the weights of an attention layer with its MLP.
    #[test]
    fn blocks_are_of_one_size() {
        let reference = BlockCount::new(&mixer("softmax_attention"), BASE, true).at(1);
        for name in ["linear_attention", "gau"] {
            let ratio = BlockCount::new(&mixer(name), BASE, true).at(1) / reference;
            assert!((0.95..1.05).contains(&ratio), "{name}: {ratio}");
        }
    }
}
