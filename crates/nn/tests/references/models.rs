//! Whole language models, from token ids to the loss and every gradient.

use burn::tensor::{Device, Tensor, TensorData};
use mixlab_core::Precision;
use mixlab_kernels::cross_entropy;
use mixlab_nn::channel::{ActivationConfig, ChannelConfig};
use mixlab_nn::embed::EmbeddingConfig;
use mixlab_nn::head::HeadConfig;
use mixlab_nn::mixer::{MixerConfig, SoftmaxAttentionConfig};
use mixlab_nn::position::{PositionConfig, RotaryConfig, SinusoidalLayout};
use mixlab_nn::residual::ResidualConfig;
use mixlab_nn::{Context, ModelConfig};

use crate::fixture::{Fixture, PRECISIONS, vector};
use crate::gated::{
    flash_pytorch_config, gainless_rms, gau_alpha_config, interleaved, layer_norm, map_flash, map_gau_alpha,
    map_norm, softmax_plus,
};
use crate::mapping::Mapping;

const VOCABULARY: usize = 11;
const WIDTH: usize = 8;
const DEPTH: usize = 2;

pub fn check_model(case: &str, config: &ModelConfig, causal: bool, map: impl Fn(&mut Mapping)) {
    for precision in PRECISIONS {
        check_model_in(case, config, causal, precision, &map);
    }
}

fn check_model_in(
    case: &str,
    config: &ModelConfig,
    causal: bool,
    precision: Precision,
    map: impl Fn(&mut Mapping),
) {
    let fixture = Fixture::load(case);
    let device = Device::flex().autodiff();
    let model = config.build(VOCABULARY, 0, &device, precision).unwrap();
    let mut mapping = Mapping::new(&fixture, &model);
    map(&mut mapping);
    let model = mapping.apply(model, precision, &device);

    let tokens = fixture.ids::<2>("tokens", &device);
    let [batch, n] = tokens.dims();
    let context = Context { mask: fixture.mask(), ..Context::evaluation(batch, causal) };
    let hidden = model.hidden(tokens, &context);
    // The mean over real tokens, as weights.
    let mut weights: Vec<f64> = match fixture.padding() {
        Some(real) => real.iter().map(|&real| f64::from(u8::from(real))).collect(),
        None => vec![1.0; batch * n],
    };
    let mut logits = vector(model.logits(hidden.clone()));
    for (row, weight) in logits.chunks_exact_mut(VOCABULARY).zip(&weights) {
        row.iter_mut().for_each(|logit| *logit *= weight);
    }
    fixture.check("output", &logits, precision);

    let count: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|weight| *weight /= count);
    let weights: Tensor<1> =
        Tensor::from_data(TensorData::new(weights, [batch * n]), (&device, precision.dtype()));
    let targets = fixture.ids::<2>("targets", &device).reshape([batch * n]);
    let (output, bias) = model.output_weight();
    let loss = cross_entropy(hidden.reshape([batch * n, WIDTH]), output, bias, targets, weights);
    fixture.check("loss", &vector(loss.clone()), precision);
    mapping.check_gradients(&model, &mut loss.backward(), precision);
}

pub fn config(mixer: MixerConfig, depth: usize) -> ModelConfig {
    ModelConfig { width: WIDTH, depth, max_length: 12, norm: layer_norm(), ..ModelConfig::new(mixer) }
}

#[test]
fn flash_pytorch_transformer() {
    let config = ModelConfig {
        position: PositionConfig::Sinusoidal {
            layout: SinusoidalLayout::SplitHalf,
            scale: Some(1.0),
            learned: true,
            base: 10_000.0,
        },
        head: HeadConfig { tied: false, bias: true },
        ..config(MixerConfig::Flash(flash_pytorch_config(interleaved(None))), DEPTH)
    };
    check_model("flash_pytorch_transformer", &config, true, |mapping| {
        mapping.same("token_emb.weight", "embedding.token");
        mapping.same("abs_pos_emb.scale", "embedding.position.scale");
        for layer in 0..DEPTH {
            let block = format!("backbone.blocks.{layer}");
            map_norm(
                mapping,
                &format!("layers.{layer}.norm"),
                &layer_norm(),
                &format!("{block}.residual.norm"),
            );
            map_flash(mapping, &format!("layers.{layer}."), &format!("{block}.mixer"), 1.0);
        }
        map_norm(mapping, "to_logits.0", &layer_norm(), "backbone.final_norm");
        mapping.same("to_logits.1.weight", "head.weight");
        mapping.same("to_logits.1.bias", "head.bias");
    });
}

#[test]
fn gau_alpha_masked_lm() {
    let config = ModelConfig {
        residual: ResidualConfig::PostNorm,
        norm: gainless_rms(),
        embedding: EmbeddingConfig { norm: true, ..EmbeddingConfig::default() },
        ..config(gau_alpha_config(softmax_plus(), false), 3)
    };
    check_model("gau_alpha_masked_lm", &config, false, |mapping| {
        mapping.same("gau_alpha.embeddings.word_embeddings.weight", "embedding.token");
        for layer in 0..3 {
            let package = format!("gau_alpha.encoder.layer.{layer}.gau.");
            map_gau_alpha(mapping, &package, &format!("backbone.blocks.{layer}.mixer.unit"), false);
        }
    });
}

fn attention(rotary: RotaryConfig) -> MixerConfig {
    MixerConfig::SoftmaxAttention(SoftmaxAttentionConfig {
        heads: 2,
        qkv_bias: true,
        output_bias: true,
        rotary,
        ..SoftmaxAttentionConfig::default()
    })
}

/// GPT-2 stores its matrices `[in, out]`, as ours are.
#[test]
fn gpt2() {
    let config = ModelConfig {
        position: PositionConfig::Learned { deviation: 0.02 },
        channel: Some(ChannelConfig::Mlp {
            expansion: 4.0,
            activation: ActivationConfig::GeluTanh,
            bias: true,
        }),
        ..config(attention(RotaryConfig::none()), DEPTH)
    };
    check_model("transformers_gpt2", &config, true, |mapping| {
        mapping.same("transformer.wte.weight", "embedding.token");
        mapping.same("transformer.wpe.weight", "embedding.position.weight");
        for layer in 0..DEPTH {
            let (theirs, ours) = (format!("transformer.h.{layer}"), format!("backbone.blocks.{layer}"));
            for kind in ["weight", "bias"] {
                for (part, name) in ["query", "key", "value"].iter().enumerate() {
                    let columns = part * WIDTH..(part + 1) * WIDTH;
                    let package = format!("{theirs}.attn.c_attn.{kind}");
                    mapping.columns(&package, columns, &format!("{ours}.mixer.{name}.{kind}"));
                }
                for (package, name) in [
                    ("attn.c_proj", "mixer.output"),
                    ("mlp.c_fc", "channel.mixer.up"),
                    ("mlp.c_proj", "channel.mixer.down"),
                ] {
                    mapping.same(&format!("{theirs}.{package}.{kind}"), &format!("{ours}.{name}.{kind}"));
                }
            }
            map_norm(mapping, &format!("{theirs}.ln_1"), &layer_norm(), &format!("{ours}.residual.norm"));
            let channel = format!("{ours}.channel.residual.norm");
            map_norm(mapping, &format!("{theirs}.ln_2"), &layer_norm(), &channel);
        }
        map_norm(mapping, "transformer.ln_f", &layer_norm(), "backbone.final_norm");
    });
}

/// GPT-NeoX stacks query, key and value of each head by itself.
#[test]
fn gpt_neox() {
    let rotary = RotaryConfig { width: Some(2), ..RotaryConfig::default() };
    let config = ModelConfig {
        head: HeadConfig { tied: false, bias: false },
        channel: Some(ChannelConfig::Mlp { expansion: 2.0, activation: ActivationConfig::Gelu, bias: true }),
        ..config(attention(rotary), DEPTH)
    };
    check_model("transformers_gpt_neox", &config, true, |mapping| {
        mapping.same("gpt_neox.embed_in.weight", "embedding.token");
        mapping.same("embed_out.weight", "head.weight");
        for layer in 0..DEPTH {
            let (theirs, ours) = (format!("gpt_neox.layers.{layer}"), format!("backbone.blocks.{layer}"));
            for kind in ["weight", "bias"] {
                let package = format!("{theirs}.attention.query_key_value.{kind}");
                for (part, name) in ["query", "key", "value"].iter().enumerate() {
                    for head in 0..2 {
                        let (rows, width) = (head * 12 + part * 4, 4);
                        let ours = format!("{ours}.mixer.{name}.{kind}");
                        mapping.outputs(&package, rows..rows + width, &ours, head * width);
                    }
                }
                for (package, name) in [
                    ("attention.dense", "mixer.output"),
                    ("mlp.dense_h_to_4h", "channel.mixer.up"),
                    ("mlp.dense_4h_to_h", "channel.mixer.down"),
                ] {
                    mapping.linear(&format!("{theirs}.{package}.{kind}"), &format!("{ours}.{name}.{kind}"));
                }
            }
            let norm = format!("{theirs}.input_layernorm");
            map_norm(mapping, &norm, &layer_norm(), &format!("{ours}.residual.norm"));
            let norm = format!("{theirs}.post_attention_layernorm");
            map_norm(mapping, &norm, &layer_norm(), &format!("{ours}.channel.residual.norm"));
        }
        map_norm(mapping, "gpt_neox.final_layer_norm", &layer_norm(), "backbone.final_norm");
    });
}
