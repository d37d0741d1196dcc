//! At which lengths a model is audited.

use mixlab_nn::ModelConfig;
use mixlab_nn::mixer::{Lengths, MixerConfig};

/// Lengths at which kernels and mixers change their path: single tokens, odd ones, around tiles of 16, 32 and 64.
pub const LENGTHS: [usize; 8] = [1, 2, 3, 7, 16, 33, 64, 130];

/// The longest length that is added for a model's own sake.
const LONGEST_ADDED: usize = 1024;

/// [`LENGTHS`], and what the model itself suggests: the longest that it takes, or one beyond that it was made for, and one
/// in the third chunk of FLASH, where all its parts are at work.
pub fn default_lengths(config: &ModelConfig, causal: bool) -> Vec<usize> {
    let longest = match config.lengths(causal) {
        Lengths::Any => config.max_length + 1,
        Lengths::AtMost(longest) => longest,
        // A model of one length is audited there, however long it is.
        Lengths::Exactly(only) => return with_more(&[only], usize::MAX),
    };
    let chunks = config.mixers().filter_map(|mixer| match mixer {
        MixerConfig::Flash(flash) => Some(2 * flash.chunk + 1),
        _ => None,
    });
    let more: Vec<usize> = chunks.chain([longest]).collect();
    with_more(&more, LONGEST_ADDED)
}

/// In ascending order, each once.
fn with_more(more: &[usize], most: usize) -> Vec<usize> {
    let mut lengths: Vec<usize> =
        more.iter().copied().filter(|&length| length <= most).chain(LENGTHS).collect();
    lengths.sort_unstable();
    lengths.dedup();
    lengths
}

#[cfg(test)]
mod tests {
    use super::*;
    use mixlab_nn::mixer::{FlashConfig, MlpMixerConfig, SynthesizerConfig};

    fn lengths(mixer: MixerConfig, max_length: usize) -> Vec<usize> {
        let config = ModelConfig { max_length, ..ModelConfig::new(mixer) };
        let taken = default_lengths(&config, false);
        taken.into_iter().filter(|&length| !LENGTHS.contains(&length)).collect()
    }

    #[test]
    fn a_model_adds_its_own_lengths() {
        let flash = |chunk| MixerConfig::Flash(FlashConfig { chunk, ..FlashConfig::default() });
        assert_eq!(lengths(flash(256), 256), [257, 513]);
        assert_eq!(lengths(flash(256), 4096), [513]);
        assert_eq!(lengths(flash(4096), 100), [101]);
        assert_eq!(lengths(MixerConfig::MlpMixer(MlpMixerConfig::default()), 4096), [4096]);
        assert_eq!(lengths(MixerConfig::Synthesizer(SynthesizerConfig::default()), 100), [100]);
        assert!(lengths(MixerConfig::Synthesizer(SynthesizerConfig::default()), 130).is_empty());
    }
}
