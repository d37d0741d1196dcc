//! GAU and FLASH against FLASH-pytorch, GAU against gau-alpha.

use mixlab_nn::NormConfig;
use mixlab_nn::mixer::{
    ChunkNormaliserConfig, FlashConfig, GauConfig, LaplaceScale, MixerConfig, NormaliserConfig,
};
use mixlab_nn::position::{RelativeBiasConfig, RotaryConfig, RotaryLayoutConfig};
use mixlab_nn::residual::ResidualConfig;

use crate::block::{Around, Comparison};
use crate::mapping::Mapping;

/// Sizes of every recorded block.
const WIDTH: usize = 8;
pub const KEY_WIDTH: usize = 8;
const EXPANDED: usize = 16;
pub const CHUNK: usize = 4;

/// FLASH-pytorch multiplies its table by a root and, in `GAU`, divides by the length.
pub fn t5(scale: f64) -> RelativeBiasConfig {
    RelativeBiasConfig::T5 { buckets: 32, max_distance: 128, scale, deviation: 1.0 }
}

pub fn interleaved(width: Option<usize>) -> RotaryConfig {
    RotaryConfig { layout: RotaryLayoutConfig::Interleaved, width, ..RotaryConfig::default() }
}

pub fn layer_norm() -> NormConfig {
    NormConfig::LayerNorm { epsilon: 1e-5 }
}

fn scale_norm() -> NormConfig {
    NormConfig::ScaleNormA { epsilon: 1e-5 }
}

fn pre_norm(norm: NormConfig) -> Around {
    Around::Residual(ResidualConfig::PreNorm, norm)
}

/// The parts FLASH-pytorch's two units share. Its `to_hidden` makes V before the gate U, and Z apart; ours makes
/// U, V, Z side by side. `output` is the name of its last layer.
pub fn map_unit(mapping: &mut Mapping, package: &str, output: &str, unit: &str) {
    let name = |part: &str| format!("{package}{part}");
    for kind in ["weight", "bias"] {
        let (hidden, shared) = (name(&format!("to_hidden.0.{kind}")), name(&format!("to_qk.0.{kind}")));
        let ours = format!("{unit}.input.{kind}");
        mapping.outputs(&hidden, EXPANDED..2 * EXPANDED, &ours, 0);
        mapping.outputs(&hidden, 0..EXPANDED, &ours, EXPANDED);
        mapping.outputs(&shared, 0..KEY_WIDTH, &ours, 2 * EXPANDED);
    }
    mapping.linear(&name(&format!("{output}.weight")), &format!("{unit}.output.weight"));
    mapping.linear(&name(&format!("{output}.bias")), &format!("{unit}.output.bias"));
}

/// Layer norm or ScaleNorm of FLASH-pytorch.
pub fn map_norm(mapping: &mut Mapping, package: &str, kind: &NormConfig, ours: &str) {
    if matches!(kind, NormConfig::ScaleNormA { .. }) {
        return mapping.same(&format!("{package}.g"), &format!("{ours}.gain"));
    }
    mapping.same(&format!("{package}.weight"), &format!("{ours}.gain"));
    mapping.same(&format!("{package}.bias"), &format!("{ours}.bias"));
}

struct FlashPytorchGau {
    case: &'static str,
    n: usize,
    causal: bool,
    normaliser: NormaliserConfig,
    norm: NormConfig,
    /// Real tokens over all tokens, where ours divides by the real ones.
    query_factor: f64,
}

impl FlashPytorchGau {
    fn check(self) {
        let config = GauConfig {
            key_width: KEY_WIDTH,
            bias: true,
            rotary: RotaryConfig::none(),
            relative_bias: t5((WIDTH as f64).sqrt() / self.n as f64),
            ..GauConfig::new(self.normaliser)
        };
        let around = pre_norm(self.norm.clone());
        let comparison = Comparison {
            case: self.case,
            mixer: MixerConfig::Gau(config),
            around,
            causal: self.causal,
            max_length: 64,
        };
        comparison.check(|mapping| {
            map_norm(mapping, "norm", &self.norm, "residual.norm");
            map_unit(mapping, "", "to_out.0", "mixer.unit");
            for (package, ours) in [("gamma", "mixer.unit.gamma"), ("beta", "mixer.unit.beta")] {
                let package = format!("offsetscale.{package}");
                mapping.run(&package, 0, ours, 0, KEY_WIDTH, self.query_factor);
                mapping.run(&package, KEY_WIDTH, ours, KEY_WIDTH, KEY_WIDTH, 1.0);
            }
            mapping.same("rel_pos_bias.relative_attention_bias.weight", "mixer.relative_bias.weight");
        });
    }
}

fn laplace() -> NormaliserConfig {
    let deviation = (0.25 / std::f64::consts::PI).sqrt();
    NormaliserConfig::Laplace { scale: LaplaceScale::Length, mean: 0.5f64.sqrt(), deviation }
}

#[test]
fn flash_pytorch_gau() {
    let whole = FlashPytorchGau {
        case: "flash_pytorch_gau_causal",
        n: 13,
        causal: true,
        normaliser: NormaliserConfig::Relu2Nn,
        norm: layer_norm(),
        query_factor: 1.0,
    };
    whole.check();
    FlashPytorchGau {
        case: "flash_pytorch_gau_bidirectional",
        n: 11,
        causal: false,
        normaliser: NormaliserConfig::Relu2Nn,
        norm: scale_norm(),
        query_factor: 1.0,
    }
    .check();
    FlashPytorchGau {
        case: "flash_pytorch_gau_laplace",
        n: 11,
        causal: false,
        normaliser: laplace(),
        norm: layer_norm(),
        query_factor: 1.0,
    }
    .check();
}

/// The package divides by the padded length: our constant form says so, our other forms count real tokens.
#[test]
fn flash_pytorch_gau_with_padding() {
    for (case, causal) in
        [("flash_pytorch_gau_causal_masked", true), ("flash_pytorch_gau_bidirectional_masked", false)]
    {
        let normaliser = NormaliserConfig::Relu2Const { constant: 9.0 };
        FlashPytorchGau { case, n: 9, causal, normaliser, norm: layer_norm(), query_factor: 1.0 }.check();
    }
    FlashPytorchGau {
        case: "flash_pytorch_gau_laplace_masked",
        n: 9,
        causal: false,
        normaliser: laplace(),
        norm: layer_norm(),
        query_factor: 7.0 / 9.0,
    }
    .check();
}

/// FLASH-pytorch's FLASH: per-chunk normaliser, T5 bias added after the division by the chunk.
pub fn flash_pytorch_config(rotary: RotaryConfig) -> FlashConfig {
    FlashConfig {
        chunk: CHUNK,
        normaliser: ChunkNormaliserConfig::PerChunk,
        key_width: KEY_WIDTH,
        bias: true,
        rotary,
        relative_bias: t5((KEY_WIDTH as f64).sqrt()),
        ..FlashConfig::default()
    }
}

/// A unit of the package under the prefix `package`. Its four maps are quadratic query, linear query, quadratic
/// key, linear key; ours have the quadratic pair first. `factor` is applied to the linear query.
pub fn map_flash(mapping: &mut Mapping, package: &str, ours: &str, factor: f64) {
    map_unit(mapping, package, "to_out", &format!("{ours}.unit"));
    for part in ["gamma", "beta"] {
        let (theirs, ours) = (format!("{package}qk_offset_scale.{part}"), format!("{ours}.unit.{part}"));
        for (from, to, factor) in [(0, 0, 1.0), (1, 2, factor), (2, 1, 1.0), (3, 3, 1.0)] {
            mapping.run(&theirs, from * KEY_WIDTH, &ours, to * KEY_WIDTH, KEY_WIDTH, factor);
        }
    }
    let table = format!("{package}rel_pos_bias.relative_attention_bias.weight");
    mapping.same(&table, &format!("{ours}.relative_bias.weight"));
}

fn check_flash(case: &'static str, causal: bool, norm: NormConfig, config: FlashConfig, factor: f64) {
    let around = pre_norm(norm.clone());
    Comparison { case, mixer: MixerConfig::Flash(config), around, causal, max_length: 64 }.check(|mapping| {
        map_norm(mapping, "norm", &norm, "residual.norm");
        map_flash(mapping, "", "mixer", factor);
    });
}

#[test]
fn flash_pytorch_flash_causal() {
    let config = flash_pytorch_config;
    check_flash("flash_pytorch_flash_causal", true, layer_norm(), config(interleaved(Some(4))), 1.0);
    check_flash("flash_pytorch_flash_causal_ragged", true, scale_norm(), config(interleaved(None)), 1.0);
    check_flash("flash_pytorch_flash_causal_masked", true, layer_norm(), config(RotaryConfig::none()), 1.0);
}

#[test]
fn flash_pytorch_flash_bidirectional() {
    for (case, rotary) in [
        ("flash_pytorch_flash_bidirectional", interleaved(None)),
        ("flash_pytorch_flash_bidirectional_ragged", interleaved(Some(4))),
    ] {
        // Without a causal order, both divide by the number of real tokens.
        for normaliser in [ChunkNormaliserConfig::PerChunk, ChunkNormaliserConfig::Mean] {
            let config = FlashConfig { normaliser, ..flash_pytorch_config(rotary.clone()) };
            check_flash(case, false, layer_norm(), config, 1.0);
        }
    }
}

/// 7 of 11 tokens are real: the package divides by 11, both of ours by 7.
#[test]
fn flash_pytorch_flash_with_padding() {
    let case = "flash_pytorch_flash_bidirectional_masked";
    for normaliser in [ChunkNormaliserConfig::PerChunk, ChunkNormaliserConfig::Mean] {
        let config = FlashConfig { normaliser, ..flash_pytorch_config(interleaved(None)) };
        check_flash(case, false, layer_norm(), config, 7.0 / 11.0);
    }
}

/// gau-alpha's unit: one fused projection in our order, no bias on request, all dimensions rotated.
pub fn gau_alpha_config(normaliser: NormaliserConfig, bias: bool) -> MixerConfig {
    MixerConfig::Gau(GauConfig {
        key_width: KEY_WIDTH,
        bias,
        affine_bias: bias,
        rotary: interleaved(None),
        ..GauConfig::new(normaliser)
    })
}

pub fn map_gau_alpha(mapping: &mut Mapping, package: &str, unit: &str, bias: bool) {
    let name = |part: &str| format!("{package}{part}");
    mapping.linear(&name("i_dense.weight"), &format!("{unit}.input.weight"));
    mapping.linear(&name("o_dense.weight"), &format!("{unit}.output.weight"));
    let affine = |mapping: &mut Mapping, package: &str, ours: &str| {
        for (head, to) in [("q", 0), ("k", KEY_WIDTH)] {
            let package = name(&format!("{head}_scaleoffset.{package}"));
            mapping.run(&package, 0, &format!("{unit}.{ours}"), to, KEY_WIDTH, 1.0);
        }
    };
    affine(mapping, "weight", "gamma");
    if bias {
        mapping.linear(&name("i_dense.bias"), &format!("{unit}.input.bias"));
        mapping.linear(&name("o_dense.bias"), &format!("{unit}.output.bias"));
        affine(mapping, "bias", "beta");
    }
}

/// The package has no floor, which is our floor of 1.
pub fn softmax_plus() -> NormaliserConfig {
    NormaliserConfig::SoftmaxPlus { floor: 1, reference: 512.0 }
}

pub fn gainless_rms() -> NormConfig {
    NormConfig::RmsNorm { epsilon: 1e-12, gain: false }
}

#[test]
fn gau_alpha_unit() {
    for (case, normaliser, bias) in [
        ("gau_alpha_unit_softmax_plus", softmax_plus(), false),
        ("gau_alpha_unit_softmax", NormaliserConfig::Softmax, true),
        // The package's relu² of scores over √s, divided by the number of real keys.
        ("gau_alpha_unit_squared_relu", NormaliserConfig::Relu2Len, true),
    ] {
        let mixer = gau_alpha_config(normaliser, bias);
        Comparison { case, mixer, around: Around::Nothing, causal: false, max_length: 64 }
            .check(|mapping| map_gau_alpha(mapping, "", "mixer.unit", bias));
    }
}

#[test]
fn gau_alpha_layer() {
    for case in ["gau_alpha_layer_padded", "gau_alpha_layer_short", "gau_alpha_layer_single"] {
        let mixer = gau_alpha_config(softmax_plus(), false);
        let around = Around::Residual(ResidualConfig::PostNorm, gainless_rms());
        Comparison { case, mixer, around, causal: false, max_length: 64 }
            .check(|mapping| map_gau_alpha(mapping, "gau.", "mixer.unit", false));
    }
}
