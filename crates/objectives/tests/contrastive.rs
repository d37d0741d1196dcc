//! Cached gradients are those of the whole batch: for every loss and layout, with dropout on, at any size of the chunks.

use std::ops::Range;

use burn::module::Module;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use mixlab_core::{Key, Precision, Purpose};
use mixlab_kernels::Mask;
use mixlab_nn::mixer::{MixerConfig, SoftmaxAttentionConfig};
use mixlab_nn::{ClassifierInput, Context, DropoutConfig, EmbeddingModel, Mode, ModelConfig, add_gradients};
use mixlab_objectives::ByPath;
use mixlab_objectives::contrastive::{
    CachedGradients, Contrast, ContrastiveLoss, Directions, Embedder, EmbeddingGradient, EmbeddingLoss,
    Layout, Logits, cached_gradients, chunks,
};

const VOCABULARY: usize = 13;
const LENGTH: usize = 6;

fn model(precision: Precision) -> EmbeddingModel {
    let attention =
        SoftmaxAttentionConfig { heads: 2, attention_dropout: 0.1, ..SoftmaxAttentionConfig::default() };
    let config = ModelConfig {
        width: 8,
        depth: 2,
        max_length: LENGTH,
        dropout: DropoutConfig { embedding: 0.1, branch: 0.2, ..DropoutConfig::default() },
        initialisation: Some(mixlab_nn::InitialisationConfig::lecun()),
        ..ModelConfig::new(MixerConfig::SoftmaxAttention(attention))
    };
    let input = ClassifierInput::Tokens { vocabulary: VOCABULARY };
    config.build_embedder(input, None, 3, &Device::flex(), precision).expect("a valid config").train()
}

/// Sentences of different lengths, each with noise of its own.
struct Sentences {
    rows: usize,
    /// Mixed into the noise of every embedding, to break the replay.
    unsteady: Option<std::cell::Cell<u64>>,
}

impl Embedder<EmbeddingModel> for Sentences {
    fn rows(&self) -> usize {
        self.rows
    }

    fn embed(&self, model: &EmbeddingModel, rows: Range<usize>, tracked: bool) -> Tensor<2> {
        let stream = |row| Key::root(5).purpose(Purpose::Synthetic).sample(row as u64);
        let count = rows.len();
        let ids: Vec<i64> = rows
            .clone()
            .flat_map(|row| (0..LENGTH as u64).map(move |i| stream(row).below(i, VOCABULARY as u64) as i64))
            .collect();
        let real: Vec<bool> =
            rows.clone().flat_map(|row| (0..LENGTH).map(move |position| position < 2 + row % 5)).collect();
        let device = if tracked { Device::flex().autodiff() } else { Device::flex() };
        let tokens: Tensor<2, Int> =
            Tensor::from_data(TensorData::new(ids, [count, LENGTH]), (&device, DType::I64));
        let turn = self.unsteady.as_ref().map_or(0, |turn| turn.replace(turn.get() + 1));
        let context = Context {
            mode: Mode::Train,
            causal: false,
            key: Key::root(9).purpose(Purpose::Dropout).step(turn),
            samples: rows.map(|row| row as u64).collect(),
            mask: Mask { padding: Some(real.into()), segments: None },
            start: 0,
            gap: 0,
            memory: None,
        };
        model.embed_tokens(tokens, &context)
    }
}

fn layouts() -> Vec<(Layout, Option<Vec<u64>>)> {
    let weights: Vec<f64> = (0..81).map(|i| f64::from(u8::from(i % 4 == 1)) * 0.5).collect();
    vec![
        (Layout::TwoTowers { pairs: 5, negatives: 0, shift: 0.0 }, None),
        (Layout::TwoTowers { pairs: 3, negatives: 2, shift: 0.4 }, None),
        (
            Layout::TwoTowers { pairs: 4, negatives: 1, shift: 0.0 },
            Some(vec![1, 2, 1, 3, 1, 2, 1, 3, 3, 4, 5, 6]),
        ),
        (Layout::TwoViews { items: 5 }, None),
        (Layout::Labelled { labels: vec![1, 2, 1, 3, 1, 2, 2, 4] }, None),
        (Layout::Targets { weights, rows: 9 }, None),
    ]
}

fn contrast<'a>(
    layout: &'a Layout,
    identities: Option<&'a [u64]>,
    loss: ContrastiveLoss,
    directions: Directions,
) -> Contrast<'a> {
    Contrast { layout, identities, loss, directions, scale: 4.0, logits: Logits::Full }
}

/// Σ |a − b| and Σ |b| over all parameters.
fn distance(a: &ByPath, b: &ByPath) -> (f64, f64) {
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
    a.iter().fold((0.0, 0.0), |(apart, size), (path, a)| {
        let b = &b[path];
        let norm = |x: Tensor<1>| x.powi_scalar(2).sum().into_scalar::<f64>().sqrt();
        (apart + norm(a.clone() - b.clone()), size + norm(b.clone()))
    })
}

fn run(rows: usize, size: usize, precision: Precision, loss: &dyn EmbeddingLoss) -> CachedGradients {
    let sentences = Sentences { rows, unsteady: None };
    cached_gradients(&model(precision), &sentences, &chunks(rows, size), loss)
}

#[test]
fn chunks_of_any_size_give_the_gradient_of_the_batch() {
    for (precision, tolerance) in [(Precision::F64, 1e-12), (Precision::F32, 1e-5)] {
        for (layout, identities) in layouts() {
            let rows = layout.rows();
            for loss in [ContrastiveLoss::InfoNce, ContrastiveLoss::NaiveInfoNce, ContrastiveLoss::FlatNce] {
                for directions in [Directions::Forward, Directions::Both] {
                    let loss = contrast(&layout, identities.as_deref(), loss, directions);
                    let whole = run(rows, rows, precision, &loss);
                    for size in [1, 2, 3, 7] {
                        let cached = run(rows, size, precision, &loss);
                        let (apart, scale) = distance(&cached.parameters, &whole.parameters);
                        assert!(apart <= tolerance * scale, "{loss:?}, chunks of {size}: {}", apart / scale);
                        let difference = (cached.stage.loss - whole.stage.loss).abs();
                        assert!(difference <= tolerance * whole.stage.loss.abs().max(1.0), "{loss:?}");
                    }
                }
            }
        }
    }
}

/// The same gradient from one graph through encoder and loss, whose only connection is autodiff.
#[test]
fn the_whole_batch_is_what_one_graph_gives() {
    let layout = Layout::TwoTowers { pairs: 5, negatives: 0, shift: 0.0 };
    let loss = contrast(&layout, None, ContrastiveLoss::InfoNce, Directions::Both);
    let found = run(10, 3, Precision::F64, &loss);
    let model = model(Precision::F64);
    let h = Sentences { rows: 10, unsteady: None }.embed(&model, 0..10, true);
    let (q, d) = (h.clone().narrow(0, 0, 5), h.narrow(0, 5, 5));
    let scores = q.matmul(d.transpose()) * 4.0;
    let one_way = |s: Tensor<2>| {
        let log_p = burn::tensor::activation::log_softmax(s, 1);
        // The mean over five anchors of either direction; autodiff rounds scalars to single precision.
        let eye = (0..25).map(|i| if i % 6 == 0 { 0.1 } else { 0.0 }).collect::<Vec<f64>>();
        let eye: Tensor<2> = Tensor::from_data(TensorData::new(eye, [5, 5]), (&log_p.device(), DType::F64));
        -(log_p * eye).sum()
    };
    let graph = one_way(scores.clone()) + one_way(scores.transpose());
    let mut gradients = graph.backward();
    let expected = mixlab_nn::parameter_gradients(&model, &mut gradients);
    let (apart, scale) = distance(&found.parameters, &expected);
    assert!(apart <= 1e-12 * scale, "{}", apart / scale);
    assert!((found.stage.loss - graph.into_scalar::<f64>()).abs() < 1e-12);
}

/// What is wrong shows: sums over small batches, and noise that is drawn anew in the second pass.
#[test]
fn naive_accumulation_and_unreplayed_noise_give_other_gradients() {
    let layout = Layout::TwoTowers { pairs: 6, negatives: 0, shift: 0.0 };
    let loss = contrast(&layout, None, ContrastiveLoss::InfoNce, Directions::Forward);
    let whole = run(12, 12, Precision::F64, &loss).parameters;
    let cosine = |a: &ByPath, b: &ByPath| {
        let product = |a: &ByPath, b: &ByPath| -> f64 {
            a.iter().map(|(path, a)| (a.clone() * b[path].clone()).sum().into_scalar::<f64>()).sum()
        };
        product(a, b) / (product(a, a) * product(b, b)).sqrt()
    };
    // Three batches of two pairs, whose losses know nothing of each other.
    struct Some2 {
        pairs: [usize; 2],
    }
    impl Embedder<EmbeddingModel> for Some2 {
        fn rows(&self) -> usize {
            4
        }
        fn embed(&self, model: &EmbeddingModel, _: Range<usize>, tracked: bool) -> Tensor<2> {
            let all = Sentences { rows: 12, unsteady: None };
            let one = |row: usize| all.embed(model, row..row + 1, tracked);
            let [a, b] = self.pairs;
            Tensor::cat(vec![one(a), one(b), one(a + 6), one(b + 6)], 0)
        }
    }
    let small = Layout::TwoTowers { pairs: 2, negatives: 0, shift: 0.0 };
    let small_loss = contrast(&small, None, ContrastiveLoss::InfoNce, Directions::Forward);
    let mut naive = ByPath::new();
    for pairs in [[0, 1], [2, 3], [4, 5]] {
        let part = cached_gradients(&model(Precision::F64), &Some2 { pairs }, &chunks(4, 4), &small_loss);
        add_gradients(&mut naive, part.parameters);
    }
    assert!(cosine(&naive, &whole) < 0.99, "{}", cosine(&naive, &whole));
    let unsteady = Sentences { rows: 12, unsteady: Some(std::cell::Cell::new(0)) };
    let drawn_anew = cached_gradients(&model(Precision::F64), &unsteady, &chunks(12, 3), &loss).parameters;
    let (apart, scale) = distance(&drawn_anew, &whole);
    assert!(apart > 0.1 * scale, "{}", apart / scale);
}

/// The same embeddings in a closed form: G = P − T gives (G + Gᵀ)H/τ; with p left unsymmetrised it would not.
#[test]
fn one_tower_has_the_symmetric_gradient() {
    let stream = Key::root(1).purpose(Purpose::Synthetic).sample(0);
    let (rows, width, beta) = (6, 3, 2.0);
    let h: Vec<f64> = (0..rows * width).map(|i| stream.normal(i as u64)).collect();
    let tensor = |values: Vec<f64>, shape| -> Tensor<2> {
        Tensor::from_data(TensorData::new(values, shape), (&Device::flex(), DType::F64))
    };
    let layout = Layout::TwoViews { items: 3 };
    let loss =
        Contrast { scale: beta, ..contrast(&layout, None, ContrastiveLoss::InfoNce, Directions::Forward) };
    let EmbeddingGradient { embeddings, log_scale, .. } = loss.evaluate(&tensor(h.clone(), [rows, width]));
    let score = |i: usize, j: usize| -> f64 {
        beta * (0..width).map(|c| h[i * width + c] * h[j * width + c]).sum::<f64>()
    };
    let p = |i: usize, j: usize| -> f64 {
        let sum: f64 = (0..rows).filter(|&k| k != i).map(|k| score(i, k).exp()).sum();
        if i == j { 0.0 } else { score(i, j).exp() / sum }
    };
    let g = |i: usize, j: usize| (p(i, j) - f64::from(u8::from(j == i ^ 1))) / rows as f64;
    let found: Vec<f64> = embeddings.into_data().iter().collect();
    let gradient = |weight: &dyn Fn(usize, usize) -> f64| -> Vec<f64> {
        let cell =
            |i: usize, c: usize| beta * (0..rows).map(|j| weight(i, j) * h[j * width + c]).sum::<f64>();
        (0..rows * width).map(|at| cell(at / width, at % width)).collect()
    };
    let off = |expected: Vec<f64>| found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(off(gradient(&|i, j| g(i, j) + g(j, i))) < 1e-14);
    assert!(off(gradient(&|i, j| 2.0 * g(i, j))) > 1e-2, "p is not symmetric");
    let by_scale: f64 =
        (0..rows * rows).map(|at| g(at / rows, at % rows) * score(at / rows, at % rows)).sum();
    assert!((log_scale - by_scale).abs() < 1e-14);
}
