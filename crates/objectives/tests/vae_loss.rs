//! The evidence lower bound of texts: its parts by hand, padding, noise, and what it tells the posterior.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use mixlab_core::{Key, Precision, Purpose};
use mixlab_nn::latent::{LatentConfig, TextVae};
use mixlab_nn::mixer::{MixerConfig, SoftmaxAttentionConfig};
use mixlab_nn::residual::ResidualConfig;
use mixlab_nn::{Context, ModelConfig, parameter_gradients};
use mixlab_objectives::vae::{
    DivergenceWeight, Filling, LatentNoise, Posterior, PosteriorConfig, TextVaeBatch, TextVaeLoss,
    VonMisesFisher, evidence, log_likelihood, log_mean_exp, reference_text_vae_loss, text_vae_loss,
};

const LATENT: usize = 4;
const ROWS: [&[u32]; 3] = [&[1, 4, 5, 6, 7, 2], &[1, 8, 2], &[1, 3, 3, 9, 2]];
const FILLING: Filling = Filling { padding: 0, length: None };
/// Targets of all rows.
const TARGETS: f64 = 11.0;

fn model(posterior: PosteriorConfig) -> TextVae {
    let attention = SoftmaxAttentionConfig { heads: 2, ..SoftmaxAttentionConfig::default() };
    let config = ModelConfig {
        width: 8,
        depth: 3,
        max_length: 8,
        residual: ResidualConfig::PostNorm,
        ..ModelConfig::new(MixerConfig::SoftmaxAttention(attention))
    };
    let (latent, outputs) = (LatentConfig::new(2, LATENT), posterior.input(LATENT));
    config.build_text_vae(&latent, outputs, 10, 3, &Device::flex(), Precision::F64).expect("a valid config")
}

fn batch(rows: &[&[u32]], samples: &[u64], device: &Device) -> TextVaeBatch {
    let context = Context { samples: samples.into(), ..Context::evaluation(rows.len(), false) };
    TextVaeBatch::new(rows, FILLING, &context, TARGETS, device, Precision::F64)
}

fn loss(
    model: &TextVae,
    rows: &[&[u32]],
    samples: &[u64],
    posterior: PosteriorConfig,
    device: &Device,
) -> TextVaeLoss {
    let key = Some(Key::root(4).purpose(Purpose::Sample));
    let posterior: Posterior = posterior.init(LATENT);
    text_vae_loss(model, &batch(rows, samples, device), &posterior, key, DivergenceWeight::default(), TARGETS)
}

fn value(x: &Tensor<1>) -> f64 {
    x.clone().into_scalar::<f64>()
}

/// −log softmax of the targets, from the logits of the same draws.
#[test]
fn the_bound_is_cross_entropy_and_divergence() {
    let posterior = PosteriorConfig::default();
    let model = model(posterior);
    let device = Device::flex();
    let found = loss(&model, &ROWS, &[5, 6, 7], posterior, &device);
    let mut sum = 0.0;
    for (row, sample) in ROWS.iter().zip([5u64, 6, 7]) {
        let batch = batch(&[row], &[sample], &device);
        let noise = LatentNoise { key: Key::root(4).purpose(Purpose::Sample), samples: &[sample] };
        let of = posterior.init(LATENT);
        let latents = model.encode(batch.text(), batch.context(), |index, made_of| {
            of.draw(index, made_of, Some(noise)).latent
        });
        let latents = latents.latents;
        let shown = batch.text().narrow(1, 0, row.len() - 1);
        let logits = model.logits(model.decode(&latents, shown, &Context::evaluation(1, true)));
        let logits: Vec<f64> = logits.into_data().iter().collect();
        for (logits, &target) in logits.chunks(10).zip(&row[1..]) {
            let total: f64 = logits.iter().map(|x| x.exp()).sum();
            sum -= (logits[target as usize].exp() / total).ln();
        }
    }
    assert!((value(&found.cross_entropy) - sum / TARGETS).abs() < 1e-12);
    let divergence = VonMisesFisher::new(LATENT, 32.0).divergence();
    assert!((value(&found.loss) - (sum + 3.0 * 2.0 * divergence) / TARGETS).abs() < 1e-12);
    assert_eq!(found.divergences.len(), 2);
}

/// A text among longer ones is the same text alone, noise included: gradients add up.
#[test]
fn a_batch_is_the_sum_of_its_texts() {
    for posterior in [PosteriorConfig::default(), PosteriorConfig::GAUSSIAN] {
        let model = model(posterior).train();
        let device = Device::flex().autodiff();
        let gradients = |rows: &[&[u32]], samples: &[u64]| {
            let found = loss(&model, rows, samples, posterior, &device);
            (value(&found.loss), parameter_gradients(&model, &mut found.loss.backward()))
        };
        let (whole, mut sums) = gradients(&ROWS, &[5, 6, 7]);
        let mut rest = whole;
        for (row, sample) in ROWS.iter().zip([5u64, 6, 7]) {
            let (value, parts) = gradients(&[row], &[sample]);
            rest -= value;
            for (path, part) in parts {
                let sum = sums.remove(&path).expect("the same parameters");
                sums.insert(path, sum - part);
            }
        }
        assert!(rest.abs() < 1e-12, "{posterior:?}: {rest}");
        for (path, gap) in sums {
            assert!(gap.abs().max().into_scalar::<f64>() < 1e-12, "{posterior:?}: {path}");
        }
    }
}

/// Every parameter learns, the maps of the latents among them; without noise a text has one loss.
#[test]
fn the_text_teaches_the_encoder() {
    for posterior in [PosteriorConfig::default(), PosteriorConfig::GAUSSIAN] {
        let model = model(posterior).train();
        let found = loss(&model, &ROWS, &[5, 6, 7], posterior, &Device::flex().autodiff());
        let gradients = parameter_gradients(&model, &mut found.loss.backward());
        for (path, gradient) in &gradients {
            assert!(gradient.clone().abs().max().into_scalar::<f64>() > 0.0, "{path} learns nothing");
        }
        assert!(gradients.contains_key("bottlenecks.0.input.weight"));
    }
    let (posterior, device) = (PosteriorConfig::default(), Device::flex());
    let model = model(posterior);
    let other = loss(&model, &ROWS, &[8, 9, 10], posterior, &device);
    assert!(
        (value(&other.loss) - value(&loss(&model, &ROWS, &[5, 6, 7], posterior, &device).loss)).abs() > 1e-10
    );
}

/// Divergences below λ cost λ and teach nothing; β is a factor.
#[test]
fn free_bits_and_weights() {
    let posterior = PosteriorConfig::GAUSSIAN;
    let model = model(posterior).train();
    let device = Device::flex().autodiff();
    let with = |beta, free_bits| {
        let weight = DivergenceWeight { beta, free_bits };
        let batch = batch(&ROWS, &[5, 6, 7], &device);
        let found = text_vae_loss(&model, &batch, &posterior.init(LATENT), None, weight, TARGETS);
        value(&found.loss) - value(&found.cross_entropy)
    };
    let plain = with(1.0, 0.0);
    assert!(plain > 0.0 && (with(2.5, 0.0) - 2.5 * plain).abs() < 1e-12);
    // Three texts, two layers, four numbers each.
    assert!((with(1.0, 50.0) - 50.0 * 24.0 / TARGETS).abs() < 1e-10);
}

/// Every term of the reference by itself, from logits of the same draws: n targets of a row, padding and the first token among them, and
/// probabilities that are cut.
#[test]
fn the_reference_counts_padding_and_the_first_token() {
    const FULL: usize = 7;
    let (posterior, device, key) =
        (PosteriorConfig::default(), Device::flex(), Key::root(4).purpose(Purpose::Sample));
    let (model, of) = (model(posterior), posterior.init(LATENT));
    let filled = |rows: &[&[u32]], samples: &[u64]| {
        let context = Context { samples: samples.into(), ..Context::evaluation(rows.len(), false) };
        let filling = Filling { padding: 0, length: Some(FULL) };
        TextVaeBatch::new(rows, filling, &context, 1.0, &device, Precision::F64)
    };
    let normaliser = (3 * FULL) as f64;
    let found = reference_text_vae_loss(&model, &filled(&ROWS, &[5, 6, 7]), &of, Some(key), normaliser);
    let mut sum = 0.0;
    for (row, sample) in ROWS.iter().zip([5u64, 6, 7]) {
        let batch = filled(&[row], &[sample]);
        let noise = LatentNoise { key, samples: &[sample] };
        let (encoded, end) = model.encode_to_the_end(batch.text(), batch.context(), |index, made_of| {
            of.draw(index, made_of, Some(noise)).latent
        });
        // Padding that is read by no one may as well not be there: the real tokens alone, and then each place of padding by itself.
        let decoded = |shown: &[u32], real: usize| {
            let mask = (0..shown.len()).map(|at| at < real).collect::<Vec<bool>>();
            let ids: Vec<i64> = shown.iter().map(|&id| i64::from(id)).collect();
            let ids = Tensor::from_data(burn::tensor::TensorData::new(ids, [1, shown.len()]), &device);
            let mask = mixlab_kernels::Mask { padding: Some(mask.into()), segments: None };
            model.decode(&encoded.latents, ids, &Context { mask, ..Context::evaluation(1, true) })
        };
        let mut whole: Vec<u32> = row.to_vec();
        whole.resize(FULL, 0);
        let hidden = Tensor::cat(vec![end.narrow(1, FULL - 1, 1), decoded(&whole[..FULL - 1], row.len())], 1);
        let logits: Vec<f64> = model.logits(hidden).into_data().iter().collect();
        for (logits, &target) in logits.chunks(10).zip(&whole) {
            let total: f64 = logits.iter().map(|x| x.exp()).sum();
            let cut: Vec<f64> = logits.iter().map(|x| (x.exp() / total).clamp(1e-7, 1.0 - 1e-7)).collect();
            sum -= (cut[target as usize] / cut.iter().sum::<f64>()).ln();
        }
    }
    assert!(
        (value(&found.loss) - sum / normaliser).abs() < 1e-12,
        "{} {}",
        value(&found.loss),
        sum / normaliser
    );
    // The divergence is told and has no part.
    assert!((value(&found.loss) - value(&found.cross_entropy)).abs() < 1e-15 && found.divergences.len() == 2);
    // What it counts is not what a bound counts.
    let plain = loss(&model, &ROWS, &[5, 6, 7], posterior, &device);
    assert!((value(&plain.cross_entropy) * TARGETS / 3.0 - value(&found.loss) * FULL as f64).abs() > 0.1);
}

/// The likelihoods are those of the loss, and ratios have the divergence as their mean.
#[test]
fn draws_tell_likelihood_and_divergence() {
    let device = Device::flex();
    for posterior in [PosteriorConfig::default(), PosteriorConfig::GAUSSIAN] {
        let (model, of) = (model(posterior), posterior.init(LATENT));
        let batch = batch(&ROWS, &[5, 6, 7], &device);
        let (mut ratio, mut divergence, draws) = (0.0, 0.0, 4000);
        for draw in 0..draws {
            let key = Key::root(draw).purpose(Purpose::Sample);
            let found = evidence(&model, &batch, &of, key);
            let weight = DivergenceWeight::default();
            let loss = text_vae_loss(&model, &batch, &of, Some(key), weight, TARGETS);
            if draw < 3 {
                let sum: f64 = found.log_likelihood.iter().sum();
                assert!((sum / TARGETS + value(&loss.cross_entropy)).abs() < 1e-12);
                let noise = LatentNoise { key, samples: &[5, 6, 7] };
                let encoded = model.encode(batch.text(), batch.context(), |index, made_of| {
                    of.draw(index, made_of, Some(noise)).latent
                });
                assert_eq!(log_likelihood(&model, &batch, &encoded.latents), found.log_likelihood);
            }
            ratio += found.log_ratio.iter().sum::<f64>() / draws as f64;
            divergence +=
                loss.divergences.into_iter().map(|nats| nats.sum().into_scalar::<f64>()).sum::<f64>()
                    / draws as f64;
        }
        assert!(
            (ratio - divergence).abs() < 0.05 * divergence.max(1.0),
            "{posterior:?}: {ratio} for {divergence}"
        );
    }
}

#[test]
fn means_of_exponents_neither_overflow_nor_vanish() {
    assert!((log_mean_exp(&[0.0, 0.0]) - 0.0).abs() < 1e-15);
    assert!((log_mean_exp(&[1000.0, 1000.0 + 3f64.ln()]) - (1000.0 + 2f64.ln())).abs() < 1e-12);
    assert!((log_mean_exp(&[-2000.0]) + 2000.0).abs() < 1e-12);
    assert_eq!(log_mean_exp(&[f64::NEG_INFINITY]), f64::NEG_INFINITY);
}
