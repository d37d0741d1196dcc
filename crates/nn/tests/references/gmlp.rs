//! Causal gMLP and aMLP against g-mlp-pytorch.

use mixlab_nn::ModelConfig;
use mixlab_nn::head::HeadConfig;
use mixlab_nn::mixer::{GmlpConfig, MixerConfig};
use mixlab_nn::residual::ResidualConfig;

use crate::block::{Around, Comparison};
use crate::gated::{layer_norm, map_norm};
use crate::mapping::Mapping;
use crate::models::{check_model, config};

/// Positions the matrices are made for.
const LENGTH: usize = 9;
const ATTENTION: usize = 6;

fn mixer(expansion: f64, attention: bool) -> MixerConfig {
    MixerConfig::Gmlp(GmlpConfig {
        expansion,
        attention_width: attention.then_some(ATTENTION),
        ..GmlpConfig::default()
    })
}

/// The package's matrix has an axis of one head in front, and query, key and value stand in one layer. `theirs` and
/// `ours` are prefixes of the unit.
fn map_unit(mapping: &mut Mapping, theirs: &str, ours: &str, attention: bool) {
    map_norm(mapping, &format!("{theirs}sgu.norm"), &layer_norm(), &format!("{ours}norm"));
    for kind in ["weight", "bias"] {
        mapping.linear(&format!("{theirs}proj_in.0.{kind}"), &format!("{ours}input.{kind}"));
        mapping.same(&format!("{theirs}sgu.{kind}"), &format!("{ours}spatial.{kind}"));
        mapping.linear(&format!("{theirs}proj_out.{kind}"), &format!("{ours}output.{kind}"));
        if attention {
            mapping.linear(&format!("{theirs}attn.to_out.{kind}"), &format!("{ours}attention.output.{kind}"));
        }
    }
    if attention {
        for (part, name) in ["query", "key", "value"].iter().enumerate() {
            let rows = part * ATTENTION..(part + 1) * ATTENTION;
            let ours = format!("{ours}attention.{name}.weight");
            mapping.outputs(&format!("{theirs}attn.to_qkv.weight"), rows, &ours, 0);
        }
    }
}

#[test]
fn g_mlp_pytorch_block() {
    for (case, attention) in [
        ("g_mlp_pytorch_gmlp_causal", false),
        ("g_mlp_pytorch_amlp_causal", true),
        // 6 tokens: the upper left corner of both matrix and bias.
        ("g_mlp_pytorch_amlp_causal_short", true),
    ] {
        let around = Around::Residual(ResidualConfig::PreNorm, layer_norm());
        Comparison { case, mixer: mixer(2.5, attention), around, causal: true, max_length: LENGTH }.check(
            |mapping| {
                map_norm(mapping, "fn.norm", &layer_norm(), "residual.norm");
                map_unit(mapping, "fn.fn.", "mixer.", attention);
            },
        );
    }
}

#[test]
fn g_mlp_pytorch_model() {
    let config = ModelConfig {
        max_length: LENGTH,
        head: HeadConfig { tied: false, bias: true },
        ..config(mixer(2.0, true), 2)
    };
    check_model("g_mlp_pytorch_amlp_model", &config, true, |mapping| {
        mapping.same("to_embed.weight", "embedding.token");
        for layer in 0..2 {
            let (theirs, ours) = (format!("layers.{layer}.fn."), format!("backbone.blocks.{layer}."));
            map_norm(mapping, &format!("{theirs}norm"), &layer_norm(), &format!("{ours}residual.norm"));
            map_unit(mapping, &format!("{theirs}fn.fn."), &format!("{ours}mixer."), true);
        }
        map_norm(mapping, "to_logits.0", &layer_norm(), "backbone.final_norm");
        mapping.same("to_logits.1.weight", "head.weight");
        mapping.same("to_logits.1.bias", "head.bias");
    });
}
