//! The language-modelling losses against plain definitions.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use mixlab_core::Precision;
use mixlab_nn::mixer::MixerConfig;
use mixlab_nn::{Context, LanguageModel, ModelConfig, parameter_gradients};
use mixlab_objectives::language::{LanguageBatch, causal_lm_loss, masked_lm_loss};

const VOCABULARY: usize = 11;

fn model() -> LanguageModel {
    let config = ModelConfig {
        width: 8,
        depth: 1,
        max_length: 8,
        ..ModelConfig::new(MixerConfig::catalogue().remove(0))
    };
    config.build(VOCABULARY, 3, &Device::flex(), Precision::F64).unwrap().train()
}

fn rows() -> (Vec<u32>, Vec<u32>, Vec<f32>) {
    let inputs = vec![1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 1];
    let targets = vec![2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 1, 2];
    let weights = vec![1.0, 1.0, 0.0, 1.0, 1.0, 0.5, 1.0, 1.0, 1.0, 0.0, 0.0, 2.0];
    (inputs, targets, weights)
}

fn batch(from: usize, to: usize, weights: &[f32], normaliser: f64) -> LanguageBatch {
    let (inputs, targets, _) = rows();
    let at = from * 4..to * 4;
    let device = Device::flex().autodiff();
    LanguageBatch::new(
        [to - from, 4],
        &inputs[at.clone()],
        &targets[at.clone()],
        &weights[at],
        normaliser,
        &device,
        Precision::F64,
    )
}

fn scalar(tensor: Tensor<1>) -> f64 {
    tensor.into_scalar()
}

/// The loss by its definition, from whole logits.
fn definition(model: &LanguageModel, weights: &[f32], causal: bool) -> f64 {
    let all = batch(0, 3, weights, 1.0);
    let logits = model.logits(model.hidden(all.inputs(), &Context::evaluation(3, causal)));
    let logits: Vec<f64> = logits.into_data().try_into_vec().unwrap();
    let (_, targets, _) = rows();
    let rows = logits.chunks(VOCABULARY).zip(&targets).zip(weights);
    let sum: f64 = rows
        .map(|((row, &target), &weight)| {
            let log_sum = row.iter().map(|x| x.exp()).sum::<f64>().ln();
            f64::from(weight) * (log_sum - row[target as usize])
        })
        .sum();
    sum / f64::from(weights.iter().sum::<f32>())
}

#[test]
fn the_loss_is_the_weighted_mean() {
    let (model, (_, _, weights)) = (model(), rows());
    let total = f64::from(weights.iter().sum::<f32>());
    let all = batch(0, 3, &weights, total);
    let context = Context::evaluation(3, true);
    let causal = scalar(causal_lm_loss(&model, &all, &context));
    let masked = scalar(masked_lm_loss(&model, &all, &context));
    assert!((causal - definition(&model, &weights, true)).abs() < 1e-12);
    assert!((masked - definition(&model, &weights, false)).abs() < 1e-12);
    assert!((causal - masked).abs() > 1e-6, "the two see different tokens");
}

#[test]
fn sparse_targets_give_the_same_loss() {
    let model = model();
    let mut weights = vec![0.0; 12];
    (weights[2], weights[7], weights[11]) = (1.0, 3.0, 1.0);
    let all = batch(0, 3, &weights, 5.0);
    assert!(all.scored().is_some(), "three of twelve positions are scored");
    let loss = scalar(masked_lm_loss(&model, &all, &Context::evaluation(3, false)));
    assert!((loss - definition(&model, &weights, false)).abs() < 1e-12);
}

#[test]
fn pieces_add_up_to_the_whole() {
    let (model, (_, _, weights)) = (model(), rows());
    let total = f64::from(weights.iter().sum::<f32>());
    let gradients = |from: usize, to: usize| {
        let context = Context::evaluation(to - from, true);
        let loss = causal_lm_loss(&model, &batch(from, to, &weights, total), &context);
        parameter_gradients(&model, &mut loss.backward())
    };
    let whole = gradients(0, 3);
    let (first, second) = (gradients(0, 1), gradients(1, 3));
    for (path, expected) in whole {
        let sum = first[&path].clone() + second[&path].clone();
        let difference: f64 = (sum - expected).abs().max().into_scalar();
        assert!(difference < 1e-14, "{path}: {difference:e}");
    }
}
