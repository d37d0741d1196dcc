//! Softmax attention against torch and GPT-J, linear attention against fla-core, T5 buckets.

use mixlab_nn::mixer::{LinearAttentionConfig, MixerConfig, SoftmaxAttentionConfig};
use mixlab_nn::position::{RotaryConfig, t5_bucket};

use crate::block::{Around, Comparison};
use crate::fixture::Fixture;
use crate::gated::interleaved;
use crate::mapping::Mapping;

const WIDTH: usize = 8;
const HEADS: usize = 2;

fn softmax(biases: bool, rotary: RotaryConfig) -> MixerConfig {
    MixerConfig::SoftmaxAttention(SoftmaxAttentionConfig {
        heads: HEADS,
        qkv_bias: biases,
        output_bias: biases,
        rotary,
        ..SoftmaxAttentionConfig::default()
    })
}

/// Queries, keys and values are stacked in one parameter.
#[test]
fn torch_multi_head() {
    for (case, causal) in [("torch_multi_head_causal", true), ("torch_multi_head_padded", false)] {
        let mixer = softmax(true, RotaryConfig::none());
        Comparison { case, mixer, around: Around::Nothing, causal, max_length: 64 }.check(|mapping| {
            for (part, ours) in ["query", "key", "value"].iter().enumerate() {
                let rows = part * WIDTH..(part + 1) * WIDTH;
                mapping.outputs("in_proj_weight", rows.clone(), &format!("mixer.{ours}.weight"), 0);
                mapping.outputs("in_proj_bias", rows, &format!("mixer.{ours}.bias"), 0);
            }
            mapping.linear("out_proj.weight", "mixer.output.weight");
            mapping.linear("out_proj.bias", "mixer.output.bias");
        });
    }
}

fn map_four(mapping: &mut Mapping, names: [&str; 4]) {
    for (name, ours) in names.iter().zip(["query", "key", "value", "output"]) {
        mapping.linear(&format!("{name}.weight"), &format!("mixer.{ours}.weight"));
    }
}

#[test]
fn gpt_j_attention() {
    let mixer = softmax(false, interleaved(Some(2)));
    Comparison {
        case: "transformers_gpt_j_attention",
        mixer,
        around: Around::Nothing,
        causal: true,
        max_length: 64,
    }
    .check(|mapping| map_four(mapping, ["q_proj", "k_proj", "v_proj", "out_proj"]));
}

#[test]
fn fla_linear_attention() {
    for case in ["fla_linear_attention_recurrent", "fla_linear_attention_chunk"] {
        let config =
            LinearAttentionConfig { heads: HEADS, epsilon: 1e-10, ..LinearAttentionConfig::default() };
        let mixer = MixerConfig::LinearAttention(config);
        Comparison { case, mixer, around: Around::Nothing, causal: true, max_length: 64 }
            .check(|mapping| map_four(mapping, ["query", "key", "value", "output"]));
    }
}

#[test]
fn t5_buckets() {
    let fixture = Fixture::load("t5_buckets");
    for (name, causal) in [("causal", true), ("bidirectional", false)] {
        let buckets = fixture.values(name);
        for (&offset, &bucket) in fixture.values("offsets").data.iter().zip(&buckets.data) {
            assert_eq!(t5_bucket(offset as i64, causal, 32, 128), bucket as usize, "{name} {offset}");
        }
    }
}
