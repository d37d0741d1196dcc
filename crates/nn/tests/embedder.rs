//! Embedding models: every pooling is its formula, padding does not matter, and lengths are one.

use std::sync::Arc;

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use mixlab_core::{Diagnose, Key, Precision, Purpose};
use mixlab_kernels::Mask;
use mixlab_nn::embed::ImageShape;
use mixlab_nn::mixer::{MixerConfig, SoftmaxAttentionConfig};
use mixlab_nn::seq2seq::EncoderConfig;
use mixlab_nn::{
    ClassifierInput, Context, EmbedderConfig, EmbeddingModel, EmbeddingPooling, ModelConfig,
    parameter_values, with_parameters,
};

const VOCABULARY: usize = 11;
const WIDTH: usize = 8;
const POOLINGS: [EmbeddingPooling; 5] = [
    EmbeddingPooling::Mean,
    EmbeddingPooling::Max,
    EmbeddingPooling::ClassToken,
    EmbeddingPooling::FirstLast,
    EmbeddingPooling::Attention,
];

fn config(embedder: EmbedderConfig) -> ModelConfig {
    let attention = SoftmaxAttentionConfig { heads: 2, ..SoftmaxAttentionConfig::default() };
    ModelConfig {
        width: WIDTH,
        depth: 2,
        max_length: 9,
        embedder,
        ..ModelConfig::new(MixerConfig::SoftmaxAttention(attention))
    }
}

/// With first values that are not 0 anywhere.
fn model(embedder: EmbedderConfig) -> EmbeddingModel {
    let input = ClassifierInput::Tokens { vocabulary: VOCABULARY };
    let model = config(embedder)
        .build_embedder(input, None, 1, &Device::flex(), Precision::F64)
        .expect("a valid config");
    let stream = Key::root(2).purpose(Purpose::Synthetic).sample(0);
    let mut values = parameter_values(&model);
    if let Some(query) = values.get_mut("query") {
        let drawn: Vec<f64> = (0..WIDTH as u64).map(|i| stream.normal(i)).collect();
        *query = Tensor::from_data(TensorData::new(drawn, [WIDTH]), (&Device::flex(), DType::F64));
    }
    with_parameters(model, values)
}

fn tokens(batch: usize, length: usize) -> Tensor<2, Int> {
    let stream = Key::root(3).purpose(Purpose::Synthetic).sample(0);
    let ids: Vec<i64> =
        (0..(batch * length) as u64).map(|i| stream.below(i, VOCABULARY as u64) as i64).collect();
    Tensor::from_data(TensorData::new(ids, [batch, length]), (&Device::flex(), DType::I64))
}

fn numbers<const D: usize>(x: Tensor<D>) -> Vec<f64> {
    x.into_data().iter().collect()
}

fn assert_near(what: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() < 1e-12, "{what}: {a}, expected {b}");
    }
}

/// A pooled vector by hand, from the final vectors `[n, d]` of one sequence.
fn by_hand(pooling: EmbeddingPooling, first: &[f64], last: &[f64], query: &[f64]) -> Vec<f64> {
    let rows = |x: &[f64]| -> Vec<Vec<f64>> { x.chunks(WIDTH).map(<[f64]>::to_vec).collect() };
    let weighted = |x: &[f64], weights: &[f64]| -> Vec<f64> {
        let total: f64 = weights.iter().sum();
        let sum = |c: usize| rows(x).iter().zip(weights).map(|(row, w)| row[c] * w).sum::<f64>() / total;
        (0..WIDTH).map(sum).collect()
    };
    let even = vec![1.0; last.len() / WIDTH];
    match pooling {
        EmbeddingPooling::Mean => weighted(last, &even),
        EmbeddingPooling::Max => {
            (0..WIDTH).map(|c| rows(last).iter().map(|row| row[c]).fold(f64::MIN, f64::max)).collect()
        }
        EmbeddingPooling::ClassToken => last[..WIDTH].to_vec(),
        EmbeddingPooling::FirstLast => {
            let means = weighted(first, &even).into_iter().zip(weighted(last, &even));
            means.map(|(a, b)| (a + b) / 2.0).collect()
        }
        EmbeddingPooling::Attention => {
            let score = |row: &Vec<f64>| row.iter().zip(query).map(|(a, b)| a * b).sum::<f64>().exp();
            weighted(last, &rows(last).iter().map(score).collect::<Vec<f64>>())
        }
    }
}

#[test]
fn every_pooling_is_its_formula() {
    for pooling in POOLINGS {
        let plain = model(EmbedderConfig { pooling, width: None, normalised: false });
        let values = parameter_values(&plain);
        let query = values.get("query").cloned().map(numbers).unwrap_or_default();
        let context = Context::evaluation(1, false);
        let tokens = tokens(1, 7);
        // The first vectors are rows of the embedding: there are no positions and no norm in front of the blocks.
        let table = numbers(values["embedding.token"].clone());
        let ids: Vec<usize> = tokens.clone().into_data().iter::<i64>().map(|id| id as usize).collect();
        let first: Vec<f64> =
            ids.iter().flat_map(|id| table[id * WIDTH..(id + 1) * WIDTH].to_vec()).collect();
        let x = Tensor::<3>::from_data(
            TensorData::new(first.clone(), [1, 7, WIDTH]),
            (&Device::flex(), DType::F64),
        );
        let last = numbers(plain.backbone().forward(x, &context));
        let expected = by_hand(pooling, &first, &last, &query);
        assert_near(
            &format!("{pooling:?}"),
            &numbers(plain.embed_tokens(tokens.clone(), &context)),
            &expected,
        );

        let unit = model(EmbedderConfig { pooling, ..EmbedderConfig::default() });
        let length = expected.iter().map(|x| x * x).sum::<f64>().sqrt();
        let expected: Vec<f64> = expected.iter().map(|x| x / length).collect();
        assert_near("unit length", &numbers(unit.embed_tokens(tokens, &context)), &expected);
    }
}

#[test]
fn what_stands_at_padding_does_not_matter() {
    for pooling in POOLINGS {
        let model = model(EmbedderConfig { pooling, width: Some(3), ..EmbedderConfig::default() });
        let short = model.embed_tokens(tokens(2, 5), &Context::evaluation(2, false));
        assert_eq!(short.dims(), [2, 3]);
        let padded = |filler: i64| {
            let padding = tokens(2, 5).zeros_like().narrow(1, 0, 3) + filler;
            let real: Arc<[bool]> = (0..16).map(|i| i % 8 < 5).collect();
            let context = Context {
                mask: Mask { padding: Some(real), segments: None },
                ..Context::evaluation(2, false)
            };
            numbers(model.embed_tokens(Tensor::cat(vec![tokens(2, 5), padding], 1), &context))
        };
        for filler in [0, 7] {
            assert_near(&format!("{pooling:?}"), &padded(filler), &numbers(short.clone()));
        }
    }
}

#[test]
fn images_have_a_class_token_of_their_own_and_odd_configs_are_refused() {
    let image = ClassifierInput::Images(ImageShape { height: 4, width: 4, channels: 1 });
    let mut with =
        config(EmbedderConfig { pooling: EmbeddingPooling::ClassToken, ..EmbedderConfig::default() });
    with.patch.size = 2;
    let model = with.build_embedder(image, None, 1, &Device::flex(), Precision::F64).expect("a valid config");
    assert!(parameter_values(&model).contains_key("embedding.class_token"));
    let pixels = Tensor::<4>::ones([3, 4, 4, 1], (&Device::flex(), DType::F64));
    let embedded = model.embed_images(pixels, &Context::evaluation(3, false));
    assert_eq!(embedded.dims(), [3, WIDTH]);

    let refused = |config: ModelConfig| {
        let error = config.build_embedder(image, None, 1, &Device::flex(), Precision::F64).expect_err("odd");
        format!("{error} {}", error.hint().unwrap_or_default())
    };
    let zero = ModelConfig {
        embedder: EmbedderConfig { width: Some(0), ..EmbedderConfig::default() },
        ..with.clone()
    };
    assert!(refused(zero).contains("model.embedder.width"));
    let two = ModelConfig { encoder: Some(EncoderConfig::default()), ..with };
    assert!(refused(two).contains("an embedding model"));
}
