//! Blocks of MLP-Mixer, ResMLP and gMLP against timm.

use mixlab_nn::NormConfig;
use mixlab_nn::channel::{ActivationConfig, ChannelConfig};
use mixlab_nn::mixer::{GmlpConfig, MixerConfig, MlpMixerConfig, ResMlpConfig};
use mixlab_nn::residual::ResidualConfig;

use crate::block::{Around, Comparison};
use crate::gated::map_norm;
use crate::mapping::Mapping;

/// Every norm of timm's blocks; the one inside the gating unit keeps 1e-5, as ours does.
pub fn layer_norm() -> NormConfig {
    NormConfig::LayerNorm { epsilon: 1e-6 }
}

pub fn mlp(expansion: f64) -> ChannelConfig {
    ChannelConfig::Mlp { expansion, activation: ActivationConfig::Gelu, bias: true }
}

/// The channel mixer. `ours` is the path of the block, with a dot behind it unless it is empty.
fn map_channel(mapping: &mut Mapping, theirs: &str, ours: &str) {
    for (package, name) in [("fc1", "up"), ("fc2", "down")] {
        for kind in ["weight", "bias"] {
            let package = format!("{theirs}mlp_channels.{package}.{kind}");
            mapping.linear(&package, &format!("{ours}channel.mixer.{name}.{kind}"));
        }
    }
}

/// timm's matrices over tokens are `[out, in]` as ours are, those over channels not.
pub fn map_mixer_block(mapping: &mut Mapping, theirs: &str, ours: &str) {
    map_norm(mapping, &format!("{theirs}norm1"), &layer_norm(), &format!("{ours}residual.norm"));
    map_norm(mapping, &format!("{theirs}norm2"), &layer_norm(), &format!("{ours}channel.residual.norm"));
    for (package, name) in [("fc1", "up"), ("fc2", "down")] {
        mapping.same(&format!("{theirs}mlp_tokens.{package}.weight"), &format!("{ours}mixer.tokens.{name}"));
        mapping
            .same(&format!("{theirs}mlp_tokens.{package}.bias"), &format!("{ours}mixer.tokens.{name}_bias"));
    }
    map_channel(mapping, theirs, ours);
}

/// An affine map, `[1, 1, width]`.
pub fn map_affine(mapping: &mut Mapping, theirs: &str, ours: &str) {
    mapping.same(&format!("{theirs}.alpha"), &format!("{ours}.gain"));
    mapping.same(&format!("{theirs}.beta"), &format!("{ours}.bias"));
}

pub fn map_res_mlp_block(mapping: &mut Mapping, theirs: &str, ours: &str) {
    for (number, residual) in [(1, "residual"), (2, "channel.residual")] {
        map_affine(mapping, &format!("{theirs}norm{number}"), &format!("{ours}{residual}.norm"));
        mapping.same(&format!("{theirs}ls{number}"), &format!("{ours}{residual}.scale"));
    }
    for kind in ["weight", "bias"] {
        mapping.same(&format!("{theirs}linear_tokens.{kind}"), &format!("{ours}mixer.tokens.{kind}"));
    }
    map_channel(mapping, theirs, ours);
}

/// The norm and the map over tokens of a gating unit.
fn map_gating_unit(mapping: &mut Mapping, theirs: &str, ours: &str) {
    map_norm(mapping, &format!("{theirs}norm"), &layer_norm(), &format!("{ours}mixer.norm"));
    for kind in ["weight", "bias"] {
        mapping.same(&format!("{theirs}proj.{kind}"), &format!("{ours}mixer.spatial.{kind}"));
    }
}

/// timm's first map makes the value half, then the gate half, as ours does.
pub fn map_gmlp_block(mapping: &mut Mapping, theirs: &str, ours: &str) {
    map_norm(mapping, &format!("{theirs}norm"), &layer_norm(), &format!("{ours}residual.norm"));
    map_gating_unit(mapping, &format!("{theirs}mlp_channels.gate."), ours);
    for (package, name) in [("fc1", "input"), ("fc2", "output")] {
        for kind in ["weight", "bias"] {
            let package = format!("{theirs}mlp_channels.{package}.{kind}");
            mapping.linear(&package, &format!("{ours}mixer.{name}.{kind}"));
        }
    }
}

#[test]
fn timm_mixer_block() {
    for (case, n, token_hidden, expansion) in
        [("timm_mixer_block", 6, 10, 2.0), ("timm_mixer_block_long", 11, 5, 3.0)]
    {
        let mixer = MlpMixerConfig { token_hidden: Some(token_hidden), ..MlpMixerConfig::default() };
        let around = Around::Block(ResidualConfig::PreNorm, layer_norm(), mlp(expansion));
        Comparison { case, mixer: MixerConfig::MlpMixer(mixer), around, causal: false, max_length: n }
            .check(|mapping| map_mixer_block(mapping, "", ""));
    }
}

#[test]
fn timm_res_mlp_block() {
    let residual = ResidualConfig::LayerScale { initial: None };
    Comparison {
        case: "timm_resmlp_block",
        mixer: MixerConfig::ResMlp(ResMlpConfig::default()),
        around: Around::Block(residual, NormConfig::Affine, mlp(3.0)),
        causal: false,
        max_length: 7,
    }
    .check(|mapping| map_res_mlp_block(mapping, "", ""));
}

#[test]
fn timm_gmlp_block() {
    Comparison {
        case: "timm_gmlp_block",
        mixer: MixerConfig::Gmlp(GmlpConfig { expansion: 2.5, ..GmlpConfig::default() }),
        around: Around::Residual(ResidualConfig::PreNorm, layer_norm()),
        causal: false,
        max_length: 7,
    }
    .check(|mapping| map_gmlp_block(mapping, "", ""));
}

/// The gating unit alone: our mixer between two maps that do nothing, the identity before it and one that writes its
/// half of the channels to the first half behind it.
#[test]
fn timm_gating_unit() {
    const WIDTH: usize = 12;
    let identity = |rows: usize| -> Vec<f64> {
        (0..rows * WIDTH).map(|i| f64::from(u8::from(i / WIDTH == i % WIDTH))).collect()
    };
    let mixer = GmlpConfig {
        expansion: 1.0,
        activation: ActivationConfig::Identity,
        bias: false,
        ..GmlpConfig::default()
    };
    Comparison {
        case: "timm_gmlp_unit",
        mixer: MixerConfig::Gmlp(mixer),
        around: Around::Nothing,
        causal: false,
        max_length: 9,
    }
    .check(|mapping| {
        mapping.constant("mixer.input.weight", identity(WIDTH));
        mapping.constant("mixer.output.weight", identity(WIDTH / 2));
        map_gating_unit(mapping, "", "");
    });
}
