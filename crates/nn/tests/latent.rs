//! A text VAE in two streams is the masked single sequence, its cached decoder the full pass, and nothing but latents gets through.

mod support_latent;

use burn::tensor::{Int, Tensor};
use mixlab_core::{Diagnose, Precision};
use mixlab_nn::latent::{Encoded, LatentConfig, PosteriorInput, TextVae};
use mixlab_nn::mixer::{FlashConfig, GauConfig, MixerConfig, NormaliserConfig};
use mixlab_nn::position::RelativeBiasConfig;
use mixlab_nn::{Context, Mode, ModelConfig, parameter_values, with_parameters};
use support_latent::{
    BATCH, LATENT, LATENTS, LENGTH, Single, config, gau, ids, latents, model, normalised_model, numbers,
    text, whitened_model,
};

fn gap(a: &Tensor<3>, b: &Tensor<3>) -> f64 {
    (a.clone() - b.clone()).abs().max().into_scalar::<f64>()
}

/// Latents are what their posterior is made of, turned and shrunk.
fn draw(_: usize, posterior: Tensor<2>) -> Tensor<2> {
    posterior.flip([1]).mul_scalar(0.7)
}

#[test]
fn two_streams_are_the_masked_sequence() {
    let model = model(&config());
    let single = Single { values: parameter_values(&model) };
    let (tokens, padding) = text(3);
    let found = model.encode(tokens.clone(), &context(padding.clone()), draw).latents;
    let hidden = model.decode(&found, tokens.clone(), &Context::evaluation(BATCH, true));
    let logits = model.logits(hidden);
    for row in 0..BATCH {
        let (expected_latents, _, expected) =
            single.run(&ids(&tokens, row), &padding[row * LENGTH..(row + 1) * LENGTH]);
        for (found, expected) in found.iter().zip(&expected_latents) {
            let found = numbers(found.clone().narrow(0, row, 1));
            assert_near("latent", &found, &expected.iter().rev().map(|x| 0.7 * x).collect::<Vec<_>>());
        }
        let real = padding[row * LENGTH..(row + 1) * LENGTH].iter().filter(|&&real| real).count();
        let found = numbers(logits.clone().narrow(0, row, 1));
        let width = found.len() / LENGTH;
        assert_near("logits", &found[..real * width], &expected[..real * width]);
    }
}

fn context(padding: Vec<bool>) -> Context {
    Context {
        mask: mixlab_kernels::Mask { padding: Some(padding.into()), segments: None },
        ..Context::evaluation(BATCH, false)
    }
}

#[track_caller]
fn assert_near(what: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() < 1e-12, "{what}: {a}, expected {b}");
    }
}

#[test]
fn the_decoder_knows_latents_and_past_only() {
    for config in [config(), gau()] {
        let model = model(&config);
        let (tokens, padding) = text(3);
        let latents = latents(5);
        let evaluation = Context::evaluation(BATCH, true);
        let decode = |model: &TextVae, tokens: Tensor<2, Int>| model.decode(&latents, tokens, &evaluation);
        let whole = decode(&model, tokens.clone());
        // Another text behind the fourth token.
        let (other, _) = text(4);
        let changed =
            Tensor::cat(vec![tokens.clone().narrow(1, 0, 4), other.clone().narrow(1, 4, LENGTH - 4)], 1);
        let after = decode(&model, changed);
        assert!(gap(&whole.clone().narrow(1, 0, 4), &after.clone().narrow(1, 0, 4)) == 0.0, "causal");
        assert!(gap(&whole, &after) > 1e-3, "the past counts");
        // Every latent reaches the decoder, and each depends on the text and on those below.
        for index in 0..LATENTS {
            let mut changed = latents.clone();
            changed[index] = changed[index].clone().mul_scalar(-1.0);
            assert!(
                gap(&whole, &model.decode(&changed, tokens.clone(), &evaluation)) > 1e-4,
                "latent {index}"
            );
        }
        let found = model.encode(tokens.clone(), &context(padding.clone()), draw).latents;
        let turned = model.encode(tokens.clone(), &context(padding.clone()), |index, x| {
            if index == 0 { x } else { draw(index, x) }
        });
        let turned = turned.latents;
        let far = |a: &[Tensor<2>], b: &[Tensor<2>], index: usize| {
            (a[index].clone() - b[index].clone()).abs().max().into_scalar::<f64>()
        };
        assert!(far(&found, &turned, LATENTS - 1) > 1e-6, "a latent depends on those below");
        // Padding is nothing.
        let short = model.encode(
            tokens.clone().narrow(1, 0, LENGTH - 2).narrow(0, 1, 1),
            &Context::evaluation(1, false),
            draw,
        );
        let short = short.latents;
        let among: Vec<Tensor<2>> = found.iter().map(|z| z.clone().narrow(0, 1, 1)).collect();
        assert!(!padding[2 * LENGTH - 1] && !padding[2 * LENGTH - 2] && padding[2 * LENGTH - 3]);
        (0..LATENTS).for_each(|index| assert!(far(&short, &among, index) < 1e-12, "padding"));
    }
}

#[test]
fn a_cached_decoder_is_the_full_pass() {
    for config in [config(), gau()] {
        let model = model(&config);
        let ((tokens, _), latents) = (text(3), latents(5));
        let whole = model.decode(&latents, tokens.clone(), &Context::evaluation(BATCH, true));
        let logits = [model.output().logits(whole.clone()), model.logits(whole.clone())];
        assert!(gap(&logits[0], &logits[1]) < 1e-12);
        for parts in [vec![1; LENGTH], vec![3, LENGTH - 3], vec![LENGTH]] {
            let mut state = model.state(&latents).expect("both mixers stream");
            let mut at = 0;
            for count in parts {
                let found = model.step(tokens.clone().narrow(1, at, count), &mut state);
                assert!(gap(&found, &whole.clone().narrow(1, at, count)) < 1e-12, "from {at}");
                at += count;
            }
            assert_eq!(state.position(), LENGTH);
        }
        // Rows go on in any order.
        let mut state = model.state(&latents).unwrap();
        model.step(tokens.clone().narrow(1, 0, 2), &mut state);
        let mut turned = state.select(&[1, 0], &tokens.device());
        let next = tokens.clone().narrow(1, 2, 1);
        let found = model.step(next.clone().flip([0]), &mut turned).flip([0]);
        assert!(gap(&found, &model.step(next, &mut state)) < 1e-12);
    }
}

/// The same text behind a longer encoder half would be another distance from its latents; a shorter text is not.
#[test]
fn where_the_text_begins_does_not_tell_its_length() {
    let model = model(&config());
    let ((tokens, _), latents) = (text(3), latents(5));
    let evaluation = Context::evaluation(BATCH, true);
    let whole = model.decode(&latents, tokens.clone(), &evaluation);
    let short = model.decode(&latents, tokens.narrow(1, 0, 3), &evaluation);
    assert!(gap(&whole.narrow(1, 0, 3), &short) < 1e-13);
}

#[test]
fn what_cannot_be_is_refused() {
    let refused = |config: ModelConfig, layers, width| {
        let latent = LatentConfig::new(layers, width);
        let posterior = PosteriorInput { numbers: 4, mean_scale: None };
        let error = config
            .build_text_vae(&latent, posterior, 9, 1, &Default::default(), Precision::F64)
            .expect_err("refused");
        format!("{error}\n{}", error.hint().unwrap_or_default())
    };
    assert!(refused(config(), 4, 4).contains("objective.latent.layers"));
    assert!(refused(config(), 0, 4).contains("objective.latent.layers"));
    assert!(refused(config(), 1, 0).contains("objective.latent.width"));
    let flash = ModelConfig { mixer: MixerConfig::Flash(FlashConfig::default()), ..config() };
    assert!(refused(flash, 2, 4).contains("softmax_attention"));
    let relative_bias = RelativeBiasConfig::Toeplitz { deviation: 0.02 };
    let unit = GauConfig { relative_bias, ..GauConfig::new(NormaliserConfig::Relu2Sqrt) };
    let biased = ModelConfig { mixer: MixerConfig::Gau(unit), ..config() };
    assert!(refused(biased, 2, 4).contains("relative_bias"));
}

/// In training every number of the means has the spread that was asked for, around its shift, and the moments say by what it was brought
/// there; by those moments a text alone is what it was in its batch.
#[test]
fn means_are_normalised_over_texts() {
    let scale = 0.6;
    let model = normalised_model(&config(), scale);
    let shift = |index: usize| {
        numbers(parameter_values(&model)[&format!("bottlenecks.{index}.normalisation.shift")].clone())
    };
    let texts = Tensor::cat((0..4).map(|seed| text(seed).0).collect(), 0);
    let rows = texts.dims()[0];
    let training = Context { mode: Mode::Train, ..Context::evaluation(rows, false) };
    let of_means = |posterior: &Tensor<2>| posterior.clone().narrow(1, 0, LATENT);
    let draw = |index: usize, posterior: Tensor<2>| draw(index, of_means(&posterior));
    let found = model.encode(texts.clone(), &training, draw);
    for (index, posterior) in found.posteriors.iter().enumerate() {
        let means = of_means(posterior);
        let mean = numbers(means.clone().mean_dim(0));
        let spread = numbers((means.clone() * means.clone()).mean_dim(0));
        assert_near("mean", &mean, &shift(index));
        for (c, (mean, square)) in mean.iter().zip(spread).enumerate() {
            let variance = numbers(found.moments[index].spread.clone())[c];
            // What ε takes away of the spread.
            let expected = scale * scale * variance / (variance + 1e-5);
            assert!((square - mean * mean - expected).abs() < 1e-12, "{index}.{c}");
        }
    }
    assert_alone_as_among(&model, &texts, &found, draw);
}

/// By the moments of a batch a text alone is what it was in it.
fn assert_alone_as_among(
    model: &TextVae,
    texts: &Tensor<2, Int>,
    among: &Encoded,
    draw: impl Fn(usize, Tensor<2>) -> Tensor<2>,
) {
    let running = model.running_moments();
    assert_eq!(running.len(), among.moments.len());
    let values = running.into_iter().zip(&among.moments).flat_map(|(([mean, spread], _), moments)| {
        [(mean, moments.mean.clone()), (spread, moments.spread.clone())]
    });
    let model = with_parameters(model.clone(), values.collect());
    let alone = model.encode(texts.clone().narrow(0, 3, 1), &Context::evaluation(1, false), draw);
    for (alone, among) in alone.posteriors.iter().zip(&among.posteriors) {
        assert_near("alone", &numbers(alone.clone()), &numbers(among.clone().narrow(0, 3, 1)));
    }
}

/// Whitened means lie around 0 in training, closer to a ball than what they were made of, and the moments say by what they were brought there.
#[test]
fn means_are_whitened_over_texts() {
    let model = whitened_model(&config());
    let texts = Tensor::cat((0..12).map(|seed| text(seed).0).collect(), 0);
    let rows = texts.dims()[0];
    let training = Context { mode: Mode::Train, ..Context::evaluation(rows, false) };
    let found = model.encode(texts.clone(), &training, draw);
    // tr Σ²/(tr Σ)²: 1/4 of a ball, 1 of a line.
    let flatness = |spread: &[f64]| {
        let trace: f64 = (0..LATENT).map(|i| spread[i * (LATENT + 1)]).sum();
        spread.iter().map(|x| x * x).sum::<f64>() / (trace * trace)
    };
    for (whitened, moments) in found.posteriors.iter().zip(&found.moments) {
        assert_near("mean", &numbers(whitened.clone().mean_dim(0)), &[0.0; LATENT]);
        let spread = whitened.clone().transpose().matmul(whitened.clone()).mul_scalar(1.0 / rows as f64);
        let (before, after) = (flatness(&numbers(moments.spread.clone())), flatness(&numbers(spread)));
        assert!(after < 0.35 && after < 0.75 * before, "{before} {after}");
    }
    assert_alone_as_among(&model, &texts, &found, draw);
}

#[test]
fn the_encoder_can_be_followed_to_its_end() {
    let model = model(&config());
    let single = Single { values: parameter_values(&model) };
    let (tokens, padding) = text(3);
    let (_, hidden) = model.encode_to_the_end(tokens.clone(), &context(padding.clone()), draw);
    for row in 0..BATCH {
        let real = &padding[row * LENGTH..(row + 1) * LENGTH];
        let (_, expected, _) = single.run(&ids(&tokens, row), real);
        let found = numbers(hidden.clone().narrow(0, row, 1));
        for (position, expected) in expected.iter().enumerate() {
            let width = expected.len();
            assert_near("encoder", &found[position * width..(position + 1) * width], expected);
        }
    }
}
