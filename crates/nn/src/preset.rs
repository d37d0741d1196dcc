//! Published models by name.
//!
//! A preset is the architecture: sizes, norms, positions, readout, and the noise that belongs to it. How such a model
//! is initialised and trained is the caller's business.

use crate::channel::{ActivationConfig, ChannelConfig};
use crate::embed::{EmbeddingConfig, ImageShape, PatchConfig};
use crate::head::{HeadConfig, Pooling, ReadoutConfig};
use crate::mixer::{
    FfOnlyConfig, FnetConfig, GmlpConfig, MixerConfig, MlpMixerConfig, ResMlpConfig, TokenWeights,
};
use crate::position::PositionConfig;
use crate::residual::ResidualConfig;
use crate::{ClassifierInput, DropoutConfig, ModelConfig, NormConfig};

/// Side of the images of all vision presets, in pixels.
const IMAGE: usize = 224;
/// Size of the vocabularies of FNet and gMLP.
const VOCABULARY: usize = 32_000;
/// Longest text of the language presets.
const TEXT: usize = 512;

/// A published model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// MLP-Mixer S/32 (Tolstikhin et al. 2021, table 1).
    MixerS32,
    /// MLP-Mixer S/16 (Tolstikhin et al. 2021, table 1).
    MixerS16,
    /// MLP-Mixer B/32 (Tolstikhin et al. 2021, table 1).
    MixerB32,
    /// MLP-Mixer B/16 (Tolstikhin et al. 2021, table 1).
    MixerB16,
    /// MLP-Mixer L/32 (Tolstikhin et al. 2021, table 1).
    MixerL32,
    /// MLP-Mixer L/16 (Tolstikhin et al. 2021, table 1).
    MixerL16,
    /// MLP-Mixer H/14 (Tolstikhin et al. 2021, table 1).
    MixerH14,
    /// Feed-forward layers only, tiny (Melas-Kyriazi 2021, and its code).
    FfOnlyTiny,
    /// Feed-forward layers only, base (Melas-Kyriazi 2021, and its code).
    FfOnlyBase,
    /// Feed-forward layers only, large (Melas-Kyriazi 2021, and its code).
    FfOnlyLarge,
    /// ResMLP-S12 (Touvron et al. 2021, "ResMLP", and its code).
    ResMlpS12,
    /// ResMLP-S24 (Touvron et al. 2021, "ResMLP", and its code).
    ResMlpS24,
    /// ResMLP-S36 (Touvron et al. 2021, "ResMLP", and its code).
    ResMlpS36,
    /// ResMLP-B24/8 (Touvron et al. 2021, "ResMLP", and its code).
    ResMlpB24_8,
    /// ResMLP-B24/16 (Touvron et al. 2021, "ResMLP", and its code).
    ResMlpB24_16,
    /// gMLP-Ti/16 (Liu et al. 2021, table 1).
    GmlpTi16,
    /// gMLP-S/16 (Liu et al. 2021, table 1).
    GmlpS16,
    /// gMLP-B/16 (Liu et al. 2021, table 1).
    GmlpB16,
    /// FNet-Base (Lee-Thorp et al. 2021, section 4).
    FnetBase,
    /// FNet-Large (Lee-Thorp et al. 2021, section 4).
    FnetLarge,
    /// gMLP base for masked language modelling (Liu et al. 2021, section 4).
    GmlpBase,
    /// aMLP base for masked language modelling (Liu et al. 2021, section 4).
    AmlpBase,
    /// gMLP large for masked language modelling (Liu et al. 2021, section 4).
    GmlpLarge,
    /// aMLP large for masked language modelling (Liu et al. 2021, section 4).
    AmlpLarge,
}

/// Every preset, by family and size.
pub fn presets() -> &'static [Preset] {
    use Preset::*;
    &[
        MixerS32,
        MixerS16,
        MixerB32,
        MixerB16,
        MixerL32,
        MixerL16,
        MixerH14,
        FfOnlyTiny,
        FfOnlyBase,
        FfOnlyLarge,
        ResMlpS12,
        ResMlpS24,
        ResMlpS36,
        ResMlpB24_8,
        ResMlpB24_16,
        GmlpTi16,
        GmlpS16,
        GmlpB16,
        FnetBase,
        FnetLarge,
        GmlpBase,
        AmlpBase,
        GmlpLarge,
        AmlpLarge,
    ]
}

impl Preset {
    /// The preset of a name, such as `mixer_b_16`.
    pub fn from_name(name: &str) -> Option<Preset> {
        presets().iter().copied().find(|preset| preset.name() == name)
    }

    /// The word in a config file.
    pub fn name(self) -> &'static str {
        match self {
            Preset::MixerS32 => "mixer_s_32",
            Preset::MixerS16 => "mixer_s_16",
            Preset::MixerB32 => "mixer_b_32",
            Preset::MixerB16 => "mixer_b_16",
            Preset::MixerL32 => "mixer_l_32",
            Preset::MixerL16 => "mixer_l_16",
            Preset::MixerH14 => "mixer_h_14",
            Preset::FfOnlyTiny => "ff_only_tiny",
            Preset::FfOnlyBase => "ff_only_base",
            Preset::FfOnlyLarge => "ff_only_large",
            Preset::ResMlpS12 => "res_mlp_s_12",
            Preset::ResMlpS24 => "res_mlp_s_24",
            Preset::ResMlpS36 => "res_mlp_s_36",
            Preset::ResMlpB24_8 => "res_mlp_b_24_8",
            Preset::ResMlpB24_16 => "res_mlp_b_24_16",
            Preset::GmlpTi16 => "gmlp_ti_16",
            Preset::GmlpS16 => "gmlp_s_16",
            Preset::GmlpB16 => "gmlp_b_16",
            Preset::FnetBase => "fnet_base",
            Preset::FnetLarge => "fnet_large",
            Preset::GmlpBase => "gmlp_base",
            Preset::AmlpBase => "amlp_base",
            Preset::GmlpLarge => "gmlp_large",
            Preset::AmlpLarge => "amlp_large",
        }
    }

    /// The architecture.
    pub fn config(self) -> ModelConfig {
        self.published().0
    }

    /// What the model reads: images as ImageNet's are usually cut, or tokens of the published vocabulary.
    pub fn input(self) -> ClassifierInput {
        self.published().1
    }

    fn published(self) -> (ModelConfig, ClassifierInput) {
        match self {
            Preset::MixerS32 => mixer(8, 512, 32),
            Preset::MixerS16 => mixer(8, 512, 16),
            Preset::MixerB32 => mixer(12, 768, 32),
            Preset::MixerB16 => mixer(12, 768, 16),
            Preset::MixerL32 => mixer(24, 1024, 32),
            Preset::MixerL16 => mixer(24, 1024, 16),
            Preset::MixerH14 => mixer(32, 1280, 14),
            Preset::FfOnlyTiny => ff_only(12, 192, 16),
            Preset::FfOnlyBase => ff_only(12, 768, 16),
            Preset::FfOnlyLarge => ff_only(24, 1024, 32),
            Preset::ResMlpS12 => res_mlp(12, 384, 16, None),
            Preset::ResMlpS24 => res_mlp(24, 384, 16, None),
            Preset::ResMlpS36 => res_mlp(36, 384, 16, None),
            // The wide models start lower than their depth asks for.
            Preset::ResMlpB24_8 => res_mlp(24, 768, 8, Some(1e-6)),
            Preset::ResMlpB24_16 => res_mlp(24, 768, 16, Some(1e-6)),
            Preset::GmlpTi16 => gmlp_vision(128, 0.0),
            Preset::GmlpS16 => gmlp_vision(256, 0.05),
            Preset::GmlpB16 => gmlp_vision(512, 0.2),
            Preset::FnetBase => fnet(12, 768),
            Preset::FnetLarge => fnet(24, 1024),
            Preset::GmlpBase => gmlp_language(48, 512, None),
            Preset::AmlpBase => gmlp_language(36, 512, Some(64)),
            Preset::GmlpLarge => gmlp_language(96, 768, None),
            Preset::AmlpLarge => gmlp_language(72, 768, Some(128)),
        }
    }
}

/// A model of square patches, mean pooling and layer norms with ε = 1e-6.
fn vision(mixer: MixerConfig, depth: usize, width: usize, patch: usize) -> ModelConfig {
    ModelConfig {
        width,
        depth,
        max_length: (IMAGE / patch).pow(2),
        norm: NormConfig::LayerNorm { epsilon: 1e-6 },
        patch: PatchConfig { size: patch },
        ..ModelConfig::new(mixer)
    }
}

fn images(config: ModelConfig) -> (ModelConfig, ClassifierInput) {
    (config, ClassifierInput::Images(ImageShape { height: IMAGE, width: IMAGE, channels: 3 }))
}

fn tokens(config: ModelConfig) -> (ModelConfig, ClassifierInput) {
    (config, ClassifierInput::Tokens { vocabulary: VOCABULARY })
}

/// Hidden widths of d/2 over tokens and 4d over channels.
fn mixer(depth: usize, width: usize, patch: usize) -> (ModelConfig, ClassifierInput) {
    images(vision(MixerConfig::MlpMixer(MlpMixerConfig::default()), depth, width, patch))
}

/// Hidden widths of 4n over tokens and 4d over channels, a class token in front of the patches, learned positions.
fn ff_only(depth: usize, width: usize, patch: usize) -> (ModelConfig, ClassifierInput) {
    let vision = vision(MixerConfig::FfOnly(FfOnlyConfig::default()), depth, width, patch);
    images(ModelConfig {
        max_length: vision.max_length + 1,
        position: PositionConfig::Learned { deviation: 0.02 },
        readout: ReadoutConfig { pooling: Pooling::ClassToken, dense: false },
        ..vision
    })
}

/// `initial` is the first value of the factors on branches; absent: as the depth asks for.
fn res_mlp(depth: usize, width: usize, patch: usize, initial: Option<f64>) -> (ModelConfig, ClassifierInput) {
    images(ModelConfig {
        norm: NormConfig::Affine,
        residual: ResidualConfig::LayerScale { initial },
        ..vision(MixerConfig::ResMlp(ResMlpConfig::default()), depth, width, patch)
    })
}

/// 30 units of width 6d on patches of 16.
fn gmlp_vision(width: usize, stochastic_depth: f64) -> (ModelConfig, ClassifierInput) {
    images(ModelConfig {
        dropout: DropoutConfig { stochastic_depth, ..DropoutConfig::default() },
        ..vision(MixerConfig::Gmlp(GmlpConfig::default()), 30, width, 16)
    })
}

/// The encoder with its pooler; the dropout of BERT, but none on the transform.
fn fnet(depth: usize, width: usize) -> (ModelConfig, ClassifierInput) {
    tokens(ModelConfig {
        width,
        depth,
        max_length: TEXT,
        residual: ResidualConfig::PostNorm,
        norm: NormConfig::LayerNorm { epsilon: 1e-12 },
        channel: Some(ChannelConfig::Mlp {
            expansion: 4.0,
            activation: ActivationConfig::GeluTanh,
            bias: true,
        }),
        position: PositionConfig::Learned { deviation: 0.02 },
        embedding: EmbeddingConfig { norm: true, types: 4, projection: true, ..EmbeddingConfig::default() },
        head: HeadConfig { tied: true, bias: true },
        readout: ReadoutConfig { pooling: Pooling::ClassToken, dense: true },
        dropout: DropoutConfig { embedding: 0.1, branch: 0.1, mixer: Some(0.0), ..DropoutConfig::default() },
        ..ModelConfig::new(MixerConfig::Fnet(FnetConfig::default()))
    })
}

/// Units of width 3072 with Toeplitz weights; `attention` is the width of the head that makes them an aMLP.
fn gmlp_language(depth: usize, width: usize, attention: Option<usize>) -> (ModelConfig, ClassifierInput) {
    let mixer = GmlpConfig {
        expansion: 3072.0 / width as f64,
        weights: TokenWeights::Toeplitz,
        attention_width: attention,
        ..GmlpConfig::default()
    };
    tokens(ModelConfig { width, depth, max_length: TEXT, ..ModelConfig::new(MixerConfig::Gmlp(mixer)) })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_lead_back() {
        let names: BTreeSet<&str> = presets().iter().map(|preset| preset.name()).collect();
        assert_eq!(names.len(), presets().len());
        for &preset in presets() {
            assert_eq!(Preset::from_name(preset.name()), Some(preset));
        }
        assert_eq!(Preset::from_name("mixer_b_8"), None);
    }

    #[test]
    fn presets_are_valid_and_made_for_their_input() {
        for preset in presets() {
            let (config, name) = (preset.config(), preset.name());
            config.validate().expect(name);
            assert_eq!(config.for_input(preset.input()).expect(name), config, "{name}");
        }
    }
}
