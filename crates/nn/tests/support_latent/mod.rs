//! Small text VAEs, and the single masked sequence in loops over numbers.

use std::collections::BTreeMap;

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use mixlab_core::{Key, Precision, Purpose};
use mixlab_nn::channel::{ActivationConfig, ChannelConfig};
use mixlab_nn::embed::EmbeddingConfig;
use mixlab_nn::latent::{LatentConfig, PosteriorInput, TextVae};
use mixlab_nn::mixer::{GauConfig, MixerConfig, NormaliserConfig, SoftmaxAttentionConfig};
use mixlab_nn::position::{RotaryConfig, RotaryLayoutConfig};
use mixlab_nn::residual::ResidualConfig;
use mixlab_nn::{ModelConfig, NormConfig, parameter_values, with_parameters};

pub const BATCH: usize = 2;
/// Tokens of a text, with those around it.
pub const LENGTH: usize = 6;
pub const LATENTS: usize = 2;
const VOCABULARY: usize = 9;
const WIDTH: usize = 8;
const HEADS: usize = 2;
const LAYERS: usize = 3;
pub const LATENT: usize = 4;
const EPSILON: f64 = 1e-5;
const BASE: f64 = 50.0;

/// A post-norm stack of softmax attention.
pub fn config() -> ModelConfig {
    let rotary = RotaryConfig { layout: RotaryLayoutConfig::SplitHalf, width: None, base: BASE };
    let attention = SoftmaxAttentionConfig { heads: HEADS, rotary, ..SoftmaxAttentionConfig::default() };
    ModelConfig {
        width: WIDTH,
        depth: LAYERS,
        max_length: LENGTH,
        residual: ResidualConfig::PostNorm,
        norm: NormConfig::LayerNorm { epsilon: EPSILON },
        channel: Some(ChannelConfig::Mlp { expansion: 2.0, activation: ActivationConfig::Relu, bias: true }),
        embedding: EmbeddingConfig { types: 2, ..EmbeddingConfig::default() },
        ..ModelConfig::new(MixerConfig::SoftmaxAttention(attention))
    }
}

/// The same of gated attention units.
pub fn gau() -> ModelConfig {
    let unit = GauConfig { key_width: 4, ..GauConfig::new(NormaliserConfig::Softmax) };
    ModelConfig { channel: None, mixer: MixerConfig::Gau(unit), depth: 2, ..config() }
}

/// With first values that are large enough to matter.
pub fn model(config: &ModelConfig) -> TextVae {
    with_posterior(config, PosteriorInput { numbers: LATENT, mean_scale: None }, false)
}

/// The same, with means that are normalised over texts and as many further numbers.
pub fn normalised_model(config: &ModelConfig, scale: f64) -> TextVae {
    with_posterior(config, PosteriorInput { numbers: 2 * LATENT, mean_scale: Some(scale) }, false)
}

/// The same, with means that are whitened over texts.
pub fn whitened_model(config: &ModelConfig) -> TextVae {
    with_posterior(config, PosteriorInput { numbers: LATENT, mean_scale: None }, true)
}

fn with_posterior(config: &ModelConfig, posterior: PosteriorInput, whitening: bool) -> TextVae {
    let latent = LatentConfig { whitening, ..LatentConfig::new(LATENTS, LATENT) };
    let model = config
        .build_text_vae(&latent, posterior, VOCABULARY, 1, &Device::flex(), Precision::F64)
        .expect("a valid config");
    let values = parameter_values(&model);
    let redraw = |(index, (path, value)): (usize, (String, Tensor<1>))| {
        let stream = Key::root(7).purpose(Purpose::Synthetic).sample(index as u64);
        let around = if path.ends_with("gain") { 1.0 } else { 0.0 };
        let drawn = (0..value.dims()[0] as u64).map(|i| around + 0.4 * stream.normal(i)).collect();
        (path, tensor(drawn))
    };
    with_parameters(model, values.into_iter().enumerate().map(redraw).collect())
}

fn tensor(values: Vec<f64>) -> Tensor<1> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), (&Device::flex(), DType::F64))
}

/// Texts and what of them is real: all of the first, and all but two tokens of the second.
pub fn text(seed: u64) -> (Tensor<2, Int>, Vec<bool>) {
    let stream = Key::root(seed).purpose(Purpose::Synthetic).sample(0);
    let ids: Vec<i64> =
        (0..(BATCH * LENGTH) as u64).map(|i| stream.below(i, VOCABULARY as u64) as i64).collect();
    let padding = (0..BATCH * LENGTH).map(|i| i < 2 * LENGTH - 2).collect();
    (Tensor::from_data(TensorData::new(ids, [BATCH, LENGTH]), (&Device::flex(), DType::I64)), padding)
}

pub fn ids(tokens: &Tensor<2, Int>, row: usize) -> Vec<usize> {
    tokens.clone().narrow(0, row, 1).into_data().iter::<i64>().map(|id| id as usize).collect()
}

pub fn latents(seed: u64) -> Vec<Tensor<2>> {
    let latent = |layer: usize| {
        let stream = Key::root(seed).purpose(Purpose::Synthetic).sample(layer as u64);
        tensor((0..(BATCH * LATENT) as u64).map(|i| stream.normal(i)).collect()).reshape([BATCH, LATENT])
    };
    (0..LATENTS).map(latent).collect()
}

pub fn numbers<const D: usize>(x: Tensor<D>) -> Vec<f64> {
    x.into_data().iter().collect()
}

/// The whole model as one sequence of both halves under a mask.
pub struct Single {
    pub values: BTreeMap<String, Tensor<1>>,
}

type Rows = Vec<Vec<f64>>;

impl Single {
    fn parameter(&self, path: &str) -> Vec<f64> {
        numbers(
            self.values.get(path).unwrap_or_else(|| panic!("no {path} in {:?}", self.values.keys())).clone(),
        )
    }

    /// What the posteriors are made of, the final rows of the encoder's half, and the logits of the decoder's, of one text.
    pub fn run(&self, ids: &[usize], real: &[bool]) -> (Rows, Rows, Vec<f64>) {
        let n = ids.len();
        let (tokens, types) = (self.parameter("embedding.token"), self.parameter("embedding.types"));
        let embed = |row: usize| -> Vec<f64> {
            let (id, kind) = (ids[row % n], row / n);
            (0..WIDTH).map(|c| tokens[id * WIDTH + c] + types[kind * WIDTH + c]).collect()
        };
        let mut x: Rows = (0..2 * n).map(embed).collect();
        let mut posteriors = Vec::new();
        for layer in 0..LAYERS {
            let upper = layer >= LAYERS - LATENTS;
            if upper {
                let at = format!("bottlenecks.{}", layer + LATENTS - LAYERS);
                let posterior = self.map(&format!("{at}.input"), &x[0]);
                let latent: Vec<f64> = posterior.iter().rev().map(|value| 0.7 * value).collect();
                x[0] = self.map(&format!("{at}.output"), &latent);
                posteriors.push(posterior);
            }
            let sees = |q: usize, k: usize| {
                let half = |row: usize| row / n;
                // What is padding in the first half is nobody's key; position 0 never is.
                let own = half(q) == half(k) && (half(q) == 0 || k <= q) && (half(k) == 1 || real[k]);
                own || (upper && k == 0)
            };
            x = self.block(layer, &x, sees);
        }
        let logit =
            |row: &Vec<f64>, id: usize| (0..WIDTH).map(|c| row[c] * tokens[id * WIDTH + c]).sum::<f64>();
        let logits = x[n..].iter().flat_map(|row| (0..VOCABULARY).map(move |id| logit(row, id))).collect();
        (posteriors, x[..n].to_vec(), logits)
    }

    fn block(&self, layer: usize, x: &Rows, sees: impl Fn(usize, usize) -> bool) -> Rows {
        let at = format!("backbone.blocks.{layer}");
        let attended = self.attention(&format!("{at}.mixer"), x, sees);
        let added = |x: &Rows, y: &Rows, path: &str| -> Rows {
            let sum =
                |(a, b): (&Vec<f64>, &Vec<f64>)| a.iter().zip(b).map(|(a, b)| a + b).collect::<Vec<f64>>();
            x.iter().zip(y).map(sum).map(|row| self.norm(path, &row)).collect()
        };
        let x = added(x, &attended, &format!("{at}.residual.norm"));
        let channel = |row: &Vec<f64>| {
            let up: Vec<f64> = self
                .map(&format!("{at}.channel.mixer.up"), row)
                .into_iter()
                .map(|value| value.max(0.0))
                .collect();
            self.map(&format!("{at}.channel.mixer.down"), &up)
        };
        let mixed = x.iter().map(channel).collect();
        added(&x, &mixed, &format!("{at}.channel.residual.norm"))
    }

    fn attention(&self, at: &str, x: &Rows, sees: impl Fn(usize, usize) -> bool) -> Rows {
        let project =
            |name: &str| -> Rows { x.iter().map(|row| self.map(&format!("{at}.{name}"), row)).collect() };
        let turned =
            |rows: Rows| -> Rows { rows.iter().enumerate().map(|(p, row)| rotated(row, p)).collect() };
        let (query, key, value) = (turned(project("query")), turned(project("key")), project("value"));
        let width = WIDTH / HEADS;
        let joined = (0..x.len()).map(|q| {
            let mut row = Vec::new();
            for head in 0..HEADS {
                let part = head * width..(head + 1) * width;
                let keys: Vec<usize> = (0..x.len()).filter(|&k| sees(q, k)).collect();
                let score = |&k: &usize| {
                    let product =
                        query[q][part.clone()].iter().zip(&key[k][part.clone()]).map(|(a, b)| a * b);
                    (product.sum::<f64>() / (width as f64).sqrt()).exp()
                };
                let weights: Vec<f64> = keys.iter().map(score).collect();
                let total: f64 = weights.iter().sum();
                let channel =
                    |c: usize| keys.iter().zip(&weights).map(|(&k, w)| w / total * value[k][c]).sum::<f64>();
                row.extend(part.map(channel));
            }
            self.map(&format!("{at}.output"), &row)
        });
        joined.collect()
    }

    /// `x·W + b`, with a bias where there is one.
    fn map(&self, path: &str, x: &[f64]) -> Vec<f64> {
        let weight = self.parameter(&format!("{path}.weight"));
        let outputs = weight.len() / x.len();
        let bias = self.values.get(&format!("{path}.bias")).map(|bias| numbers(bias.clone()));
        let sum = |c: usize| x.iter().enumerate().map(|(r, x)| x * weight[r * outputs + c]).sum::<f64>();
        (0..outputs).map(|c| sum(c) + bias.as_ref().map_or(0.0, |bias| bias[c])).collect()
    }

    fn norm(&self, path: &str, x: &[f64]) -> Vec<f64> {
        let (gain, bias) = (self.parameter(&format!("{path}.gain")), self.parameter(&format!("{path}.bias")));
        let n = x.len() as f64;
        let mean = x.iter().sum::<f64>() / n;
        let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
        let scaled = |(c, x): (usize, &f64)| gain[c] * (x - mean) / (variance + EPSILON).sqrt() + bias[c];
        x.iter().enumerate().map(scaled).collect()
    }
}

/// All heads of a row, channel i paired with channel i + half a head.
fn rotated(row: &[f64], position: usize) -> Vec<f64> {
    let (width, half) = (WIDTH / HEADS, WIDTH / HEADS / 2);
    let turn = |c: usize| {
        let (head, within) = (c / width * width, c % width);
        let pair = within % half;
        let angle = position as f64 * BASE.powf(-2.0 * pair as f64 / width as f64);
        let (a, b) = (row[head + pair], row[head + pair + half]);
        if within < half { a * angle.cos() - b * angle.sin() } else { a * angle.sin() + b * angle.cos() }
    };
    (0..row.len()).map(turn).collect()
}
