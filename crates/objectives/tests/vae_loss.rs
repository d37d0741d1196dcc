//! The evidence lower bound of texts: its parts by hand, padding, noise, and what it tells the posterior.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use mixlab_core::{Key, Precision, Purpose};
use mixlab_nn::latent::{LatentConfig, TextVae};
use mixlab_nn::mixer::{MixerConfig, SoftmaxAttentionConfig};
use mixlab_nn::residual::ResidualConfig;
use mixlab_nn::{Context, ModelConfig, parameter_gradients};
use mixlab_objectives::vae::{
    DivergenceWeight, Posterior, PosteriorConfig, TextVaeBatch, TextVaeLoss, VonMisesFisher, text_vae_loss,
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
    let (latent, outputs) = (LatentConfig { layers: 2, width: LATENT }, posterior.input(LATENT));
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
        let noise = mixlab_objectives::vae::LatentNoise {
            key: Key::root(4).purpose(Purpose::Sample),
            samples: &[sample],
        };
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
