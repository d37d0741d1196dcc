//! Posteriors of latents: draws are functions of their text, their gradients those of the mean, their divergences those of the draws.

use burn::tensor::{DType, Device, Tensor, TensorData};
use mixlab_core::{Key, Purpose};
use mixlab_objectives::vae::{Drawn, LatentNoise, PosteriorConfig, PowerSpherical, Sampler, VonMisesFisher};

const WIDTH: usize = 6;

fn posteriors() -> [PosteriorConfig; 4] {
    let concentration = 9.0;
    [
        PosteriorConfig::VonMisesFisher { concentration, sampler: Sampler::Rejection },
        PosteriorConfig::VonMisesFisher { concentration, sampler: Sampler::Table },
        PosteriorConfig::PowerSpherical { concentration },
        PosteriorConfig::GAUSSIAN,
    ]
}

fn tensor(values: Vec<f64>, shape: [usize; 2], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values, shape), (device, DType::F64))
}

/// What a posterior is made of, of as many texts.
fn made_of(config: PosteriorConfig, rows: usize) -> Tensor<2> {
    let (outputs, stream) = (config.input(WIDTH).numbers, Key::root(1).purpose(Purpose::Synthetic).sample(0));
    let values = (0..(rows * outputs) as u64).map(|i| 0.7 * stream.normal(i)).collect();
    tensor(values, [rows, outputs], &Device::flex())
}

fn numbers(x: Tensor<2>) -> Vec<f64> {
    x.into_data().iter().collect()
}

fn draw(config: PosteriorConfig, made_of: Tensor<2>, samples: &[u64]) -> Drawn {
    let key = Key::root(3).purpose(Purpose::Sample).step(5);
    config.init(WIDTH).draw(1, made_of, Some(LatentNoise { key, samples }))
}

#[test]
fn a_draw_belongs_to_its_text() {
    for config in posteriors() {
        let made_of = made_of(config, 4);
        let whole = numbers(draw(config, made_of.clone(), &[7, 8, 9, 10]).latent);
        let alone = numbers(draw(config, made_of.clone().narrow(0, 2, 1), &[9]).latent);
        assert_eq!(alone, whole[2 * WIDTH..3 * WIDTH], "{config:?}");
        let other = numbers(draw(config, made_of.clone().narrow(0, 2, 1), &[10]).latent);
        assert_ne!(alone, other, "{config:?}");
        let mean = config.init(WIDTH).draw(0, made_of, None);
        assert_eq!(numbers(mean.latent), numbers(mean.mean), "{config:?}: without noise");
        if config.is_spherical() {
            for latent in whole.chunks(WIDTH) {
                let length: f64 = latent.iter().map(|x| x * x).sum();
                assert!((length - 1.0).abs() < 1e-12, "{config:?}: {length}");
            }
        }
    }
}

/// The mean of many draws is A·μ (or the mean), and so is its derivative.
#[test]
fn gradients_are_those_of_the_mean() {
    let count = 40_000;
    let samples: Vec<u64> = (0..count as u64).collect();
    let along = [0.3, -1.0, 0.5, 0.2, 0.9, -0.4];
    for config in posteriors() {
        let one = numbers(made_of(config, 1));
        let length = match config {
            PosteriorConfig::VonMisesFisher { concentration, .. } => {
                VonMisesFisher::new(WIDTH, concentration).mean_length()
            }
            PosteriorConfig::PowerSpherical { concentration } => {
                PowerSpherical::new(WIDTH, concentration).mean_length()
            }
            PosteriorConfig::Gaussian { .. } => 1.0,
        };
        let expected = |made_of: &[f64]| -> f64 {
            let norm = match config {
                PosteriorConfig::Gaussian { .. } => 1.0,
                _ => made_of.iter().map(|x| x * x).sum::<f64>().sqrt(),
            };
            made_of[..WIDTH].iter().zip(along).map(|(x, a)| length * a * x / norm).sum()
        };
        let device = Device::flex().autodiff();
        let leaf = tensor(one.clone(), [1, one.len()], &device).require_grad();
        let drawn = draw(config, leaf.clone().repeat(&[count, 1]), &samples);
        let a = tensor(along.to_vec(), [1, WIDTH], &device);
        let mean = (drawn.latent * a).sum_dim(1).mean();
        let value = mean.clone().into_scalar::<f64>();
        assert!((value - expected(&one)).abs() < 0.02, "{config:?}: {value} for {}", expected(&one));
        let gradient = numbers(leaf.grad(&mean.backward()).expect("tracked"));
        for index in 0..WIDTH {
            let moved = |by: f64| {
                let mut one = one.clone();
                one[index] += by;
                expected(&one)
            };
            let difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!(
                (gradient[index] - difference).abs() < 0.02,
                "{config:?}: {} for {difference}",
                gradient[index]
            );
        }
    }
}

/// KL is the mean of the logarithm of posterior over prior under the posterior.
#[test]
fn divergences_are_means_of_log_ratios() {
    let count = 40_000;
    let samples: Vec<u64> = (0..count as u64).collect();
    for config in posteriors() {
        let made_of = made_of(config, 1).repeat(&[count, 1]);
        let drawn = draw(config, made_of.clone(), &samples);
        let ratios = config.init(WIDTH).log_density_ratio(made_of, drawn.latent);
        let mean = ratios.iter().sum::<f64>() / count as f64;
        let expected: f64 = numbers(drawn.divergence.narrow(0, 0, 1)).iter().sum();
        assert!((mean - expected).abs() < 0.03, "{config:?}: {mean} for {expected}");
    }
}

#[test]
fn concentrations_and_widths_have_bounds() {
    for concentration in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e9] {
        let config = PosteriorConfig::PowerSpherical { concentration };
        assert_eq!(config.check(4).expect_err("out of range").0, "objective.posterior.concentration");
    }
    assert_eq!(PosteriorConfig::default().check(1).expect_err("no direction").0, "objective.latent.width");
    assert!(PosteriorConfig::default().check(2).is_ok() && PosteriorConfig::GAUSSIAN.check(1).is_ok());
}
