//! FNet against transformers: the Fourier layer, a block, and the whole encoder with its pooler.

use burn::tensor::{Device, Tensor};
use mixlab_core::Precision;
use mixlab_nn::channel::{ActivationConfig, ChannelConfig};
use mixlab_nn::embed::EmbeddingConfig;
use mixlab_nn::head::{Pooling, ReadoutConfig};
use mixlab_nn::mixer::{FnetConfig, FnetMixing, FourierSpan, FourierTransform, MixerConfig};
use mixlab_nn::position::PositionConfig;
use mixlab_nn::residual::ResidualConfig;
use mixlab_nn::{ClassifierInput, Context, ModelConfig, NormConfig};

use crate::block::{Around, Comparison};
use crate::fixture::{Fixture, PRECISIONS, vector};
use crate::gated::map_norm;
use crate::mapping::Mapping;

const VOCABULARY: usize = 11;
const TYPES: usize = 4;
const WIDTH: usize = 12;
const DEPTH: usize = 2;
/// Hidden width of the channel mixer.
const HIDDEN: usize = 20;

const TRANSFORMS: [FourierTransform; 2] = [FourierTransform::Fast, FourierTransform::Product];

fn mixer(transform: FourierTransform) -> MixerConfig {
    let mixing = FnetMixing::Fourier { transform, span: FourierSpan::TrueLength };
    MixerConfig::Fnet(FnetConfig { mixing })
}

fn layer_norm() -> NormConfig {
    NormConfig::LayerNorm { epsilon: 1e-12 }
}

/// 20/6 and 20/12, times the width, are 20 exactly.
fn channel(width: usize) -> ChannelConfig {
    let expansion = HIDDEN as f64 / width as f64;
    ChannelConfig::Mlp { expansion, activation: ActivationConfig::GeluTanh, bias: true }
}

/// `ours` is the path of the block, with a dot behind it unless it is empty.
fn map_block(mapping: &mut Mapping, theirs: &str, ours: &str) {
    let norm = |mapping: &mut Mapping, theirs: String, ours: String| {
        map_norm(mapping, &theirs, &layer_norm(), &ours);
    };
    norm(mapping, format!("{theirs}fourier.output.LayerNorm"), format!("{ours}residual.norm"));
    norm(mapping, format!("{theirs}output.LayerNorm"), format!("{ours}channel.residual.norm"));
    for (package, name) in [("intermediate.dense", "up"), ("output.dense", "down")] {
        for kind in ["weight", "bias"] {
            mapping
                .linear(&format!("{theirs}{package}.{kind}"), &format!("{ours}channel.mixer.{name}.{kind}"));
        }
    }
}

#[test]
fn transformers_fourier() {
    for (case, n) in [("transformers_fnet_fourier_11_24", 11), ("transformers_fnet_fourier_8_6", 8)] {
        for transform in TRANSFORMS {
            let mixer = mixer(transform);
            Comparison { case, mixer, around: Around::Nothing, causal: false, max_length: n }.check(|_| {});
        }
    }
}

#[test]
fn transformers_layer() {
    for transform in TRANSFORMS {
        Comparison {
            case: "transformers_fnet_layer",
            mixer: mixer(transform),
            around: Around::Block(ResidualConfig::PostNorm, layer_norm(), channel(6)),
            causal: false,
            max_length: 10,
        }
        .check(|mapping| map_block(mapping, "", ""));
    }
}

/// Tokens here are all of type 0, so a token of type t is another token: its row is the word's plus what type t has
/// over type 0. The other types of ours take no part, and get no gradient.
fn map_embedding(mapping: &mut Mapping) {
    let (words, types) = ("embeddings.word_embeddings.weight", "embeddings.token_type_embeddings.weight");
    for kind in 0..TYPES {
        let start = kind * VOCABULARY * WIDTH;
        mapping.run(words, 0, "embedding.token", start, VOCABULARY * WIDTH, 1.0);
        for row in (0..VOCABULARY).map(|word| start + word * WIDTH) {
            mapping.add(types, kind * WIDTH, "embedding.token", row, WIDTH, 1.0);
            mapping.add(types, 0, "embedding.token", row, WIDTH, -1.0);
        }
    }
    mapping.same(types, "embedding.types");
    mapping.same("embeddings.position_embeddings.weight", "embedding.position.weight");
    map_norm(mapping, "embeddings.LayerNorm", &layer_norm(), "embedding.norm");
    for kind in ["weight", "bias"] {
        mapping.linear(&format!("embeddings.projection.{kind}"), &format!("embedding.projection.{kind}"));
    }
}

fn map_encoder(mapping: &mut Mapping) {
    map_embedding(mapping);
    for layer in 0..DEPTH {
        let theirs = format!("encoder.layer.{layer}.");
        map_block(mapping, &theirs, &format!("backbone.blocks.{layer}."));
    }
    for kind in ["weight", "bias"] {
        mapping.linear(&format!("pooler.dense.{kind}"), &format!("readout.dense.{kind}"));
    }
    // The package ends at the pooler.
    mapping.constant("readout.weight", vec![0.0; WIDTH]);
    mapping.constant("readout.bias", vec![0.0]);
}

fn check_encoder(transform: FourierTransform, precision: Precision) {
    let config = ModelConfig {
        width: WIDTH,
        depth: DEPTH,
        max_length: 12,
        residual: ResidualConfig::PostNorm,
        norm: layer_norm(),
        channel: Some(channel(WIDTH)),
        position: PositionConfig::Learned { deviation: 0.02 },
        embedding: EmbeddingConfig {
            norm: true,
            types: TYPES,
            projection: true,
            ..EmbeddingConfig::default()
        },
        readout: ReadoutConfig { pooling: Pooling::ClassToken, dense: true },
        ..ModelConfig::new(mixer(transform))
    };
    let fixture = Fixture::load("transformers_fnet");
    let device = Device::flex().autodiff();
    let input = ClassifierInput::Tokens { vocabulary: TYPES * VOCABULARY };
    let model = config.build_classifier(input, 1, 0, &device, precision).unwrap();
    let mut mapping = Mapping::new(&fixture, &model);
    map_encoder(&mut mapping);
    let model = mapping.apply(model, precision, &device);

    let types = fixture.ids::<2>("types", &device);
    let tokens = fixture.ids::<2>("tokens", &device) + types.mul_scalar(VOCABULARY as i64);
    let context = Context::evaluation(tokens.dims()[0], false);
    let embedded = model.embed_tokens(tokens, &context);
    fixture.check("hidden/0", &vector(embedded.clone()), precision);
    let first = model.backbone().run(0..1, embedded, &context);
    fixture.check("hidden/1", &vector(first.clone()), precision);
    let output = model.backbone().finish(model.backbone().run(1..DEPTH, first, &context));
    fixture.check("output", &vector(output.clone()), precision);
    let pooled = model.readout().pooled(output.clone(), None);
    fixture.check("pooled", &vector(pooled.clone()), precision);

    let cotangent: Tensor<3> = fixture.tensor("cotangent", precision, &device);
    let pooled_cotangent: Tensor<2> = fixture.tensor("pooled_cotangent", precision, &device);
    let loss = (output * cotangent).sum() + (pooled * pooled_cotangent).sum();
    mapping.check_gradients(&model, &mut loss.backward(), precision);
}

#[test]
fn transformers_encoder() {
    for precision in PRECISIONS {
        for transform in TRANSFORMS {
            check_encoder(transform, precision);
        }
    }
}
