//! Every promise is observed by experiment, and the observation must equal the declaration: a promise
//! that does not hold fails, and so does one that holds but is not declared.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;

const N: usize = 10;

/// Equal or not, with a wide gap between: anything else is a rounding problem to look at.
fn equal(a: &Tensor<3>, b: &Tensor<3>, what: &str) -> bool {
    let difference = difference(a, b);
    assert!(!(1e-11..1e-6).contains(&difference), "{what}: {difference} is neither equal nor different");
    difference < 1e-11
}

#[test]
fn declared_promises_are_the_observed_ones() {
    for config in registered() {
        let mixer = build_for(&config, N);
        for causal in directions(&config) {
            let observed = Promises {
                causal: keeps_the_past(&mixer, causal),
                any_length: takes_longer_sequences(&mixer, &config, causal),
                padding_safe: ignores_padding(&mixer, &config, causal),
                streaming: streams(&mixer, causal),
                prefix_consistent: keeps_prefixes(&mixer, &config, causal),
                permutation_equivariant: follows_permutations(&mixer, causal),
            };
            assert_eq!(mixer.promises(causal), observed, "causal: {causal}, {config:?}");
            assert_eq!(mixer.promises(causal), config.promises(causal));
        }
    }
}

fn keeps_the_past(mixer: &Mixer, causal: bool) -> bool {
    let x = input(2, N);
    let plain = forward(mixer, &x, causal, Mask::default());
    (1..N).all(|t| {
        let other = forward(mixer, &disturbed(&x, t), causal, Mask::default());
        assert!(difference(&rows(&other, t..N), &rows(&plain, t..N)) > 1e-6, "the change arrives somewhere");
        equal(&rows(&other, 0..t), &rows(&plain, 0..t), "past")
    })
}

/// Lengths that are not allowed are refused, longer ones like shorter ones.
fn takes_longer_sequences(mixer: &Mixer, config: &MixerConfig, causal: bool) -> bool {
    let run = |n| catch_unwind(AssertUnwindSafe(|| forward(mixer, &input(1, n), causal, Mask::default())));
    let lengths = config.lengths(N, causal);
    for n in [1, N - 1, N, N + 5, 3 * N] {
        let defined = run(n).is_ok_and(|y| numbers(&y).iter().all(|v| v.is_finite()));
        assert_eq!(defined, lengths.allow(n), "length {n}, causal {causal}, {config:?}");
    }
    lengths == Lengths::Any
}

/// Padding behind a sequence, where the shorter one is defined, and a hidden token inside it whose content changes.
fn ignores_padding(mixer: &Mixer, config: &MixerConfig, causal: bool) -> bool {
    let x = input(2, N);
    let behind = !config.lengths(N, causal).allow(N - 3) || {
        let short = forward(mixer, &rows(&x, 0..N - 3), causal, Mask::default());
        let mask = padding(&[vec![true; N - 3], vec![false; 3]].concat().repeat(2));
        equal(&rows(&forward(mixer, &x, causal, mask), 0..N - 3), &short, "padding behind")
    };

    let hidden = 4;
    let mask = || padding(&(0..2 * N).map(|i| i % N != hidden).collect::<Vec<_>>());
    let (a, b) = (forward(mixer, &x, causal, mask()), forward(mixer, &disturbed(&x, hidden), causal, mask()));
    let inside = [0..hidden, hidden + 1..N]
        .into_iter()
        .all(|part| equal(&rows(&a, part.clone()), &rows(&b, part), "hidden"));
    behind && inside
}

fn streams(mixer: &Mixer, causal: bool) -> bool {
    let x = input(2, N);
    let Ok(mut state) = mixer.state(2) else { return false };
    let parts = [0..3, 3..4, 4..N].map(|range| {
        let context = Context { start: range.start, ..context(2, true) };
        mixer.step(rows(&x, range), &mut state, &context)
    });
    assert_eq!(state.position(), N);
    equal(&Tensor::cat(parts.to_vec(), 1), &forward(mixer, &x, causal, Mask::default()), "streaming")
}

fn keeps_prefixes(mixer: &Mixer, config: &MixerConfig, causal: bool) -> bool {
    let x = input(2, N);
    let whole = forward(mixer, &x, causal, Mask::default());
    (1..N).all(|t| {
        if !config.lengths(N, causal).allow(t) {
            return false;
        }
        let prefix = forward(mixer, &rows(&x, 0..t), causal, Mask::default());
        equal(&rows(&whole, 0..t), &prefix, "prefix")
    })
}

fn follows_permutations(mixer: &Mixer, causal: bool) -> bool {
    let x = input(2, N);
    let permuted =
        |x: &Tensor<3>| Tensor::cat((0..N).map(|i| rows(x, i * 7 % N..i * 7 % N + 1)).collect(), 1);
    let y = forward(mixer, &x, causal, Mask::default());
    equal(&forward(mixer, &permuted(&x), causal, Mask::default()), &permuted(&y), "permutation")
}

/// Documents packed into one row equal the documents alone. FLASH counts chunks from the start of the
/// row, so there the boundary stands between two chunks; what depends on the padded length is exempt, and what has
/// weights for positions of the row agrees on the first document only.
#[test]
fn packed_documents_equal_separate_ones() {
    for config in registered() {
        let mixer = build_for(&config, N);
        let boundary = 2 * CHUNK;
        let ids: Vec<u32> = (0..2 * N).map(|i| u32::from(i % N >= boundary) + 3).collect();
        for causal in directions(&config) {
            if [boundary, N - boundary].iter().any(|&n| !config.lengths(N, causal).allow(n)) {
                continue;
            }
            let x = input(2, N);
            let packed = forward(&mixer, &x, causal, segments(&ids));
            let same = [0..boundary, boundary..N].map(|part| {
                let alone = forward(&mixer, &rows(&x, part.clone()), causal, Mask::default());
                equal(&rows(&packed, part), &alone, "packed")
            });
            let safe = mixer.promises(causal).padding_safe;
            let expected = [safe, safe && !has_positions(&config)];
            assert_eq!(same, expected, "causal: {causal}, {config:?}");
        }
    }
}

/// Whether weights belong to positions of the row.
fn has_positions(config: &MixerConfig) -> bool {
    match config {
        MixerConfig::MlpMixer(_)
        | MixerConfig::FfOnly(_)
        | MixerConfig::ResMlp(_)
        | MixerConfig::Gmlp(_)
        | MixerConfig::Synthesizer(_) => true,
        MixerConfig::Fnet(FnetConfig { mixing }) => match mixing {
            FnetMixing::Fourier { span, .. } => *span == FourierSpan::Padded,
            FnetMixing::Linear { .. } | FnetMixing::Random { .. } => true,
            FnetMixing::Identity => false,
        },
        MixerConfig::SoftmaxAttention(_)
        | MixerConfig::LinearAttention(_)
        | MixerConfig::Gau(_)
        | MixerConfig::Flash(_)
        | MixerConfig::ExternalAttention(_)
        | MixerConfig::Convolution(_) => false,
    }
}

/// Wherever the boundary falls, nothing crosses it.
#[test]
fn documents_never_see_each_other() {
    for config in registered() {
        let mixer = build_for(&config, N);
        for boundary in [1, 5, 8] {
            let ids: Vec<u32> = (0..N).map(|i| u32::from(i >= boundary)).collect();
            for causal in directions(&config) {
                let x = input(1, N);
                let plain = forward(&mixer, &x, causal, segments(&ids));
                let later = forward(&mixer, &disturbed(&x, boundary), causal, segments(&ids));
                let earlier = forward(&mixer, &disturbed(&x, boundary - 1), causal, segments(&ids));
                let (first, second) = (0..boundary, boundary..N);
                assert!(equal(&rows(&plain, first.clone()), &rows(&later, first), "first"), "{config:?}");
                assert!(
                    equal(&rows(&plain, second.clone()), &rows(&earlier, second), "second"),
                    "{config:?}"
                );
            }
        }
    }
}

/// Only distances count: a sequence that starts elsewhere gives the same. A rotation of queries alone, or of
/// keys from another start, would not.
#[test]
fn outputs_do_not_depend_on_where_a_sequence_starts() {
    for config in registered() {
        let (mixer, x) = (build_for(&config, N), input(2, N));
        for causal in directions(&config) {
            let shifted = mixer.forward(x.clone(), &Context { start: 37, ..context(2, causal) });
            assert!(equal(&shifted, &forward(&mixer, &x, causal, Mask::default()), "shift"), "{config:?}");
        }
    }
}

/// A row of which every key is hidden gives finite numbers.
#[test]
fn a_row_without_keys_is_finite() {
    for config in registered() {
        let mixer = build_for(&config, N);
        for causal in directions(&config) {
            let y = forward(&mixer, &input(1, N), causal, padding(&[false; N]));
            assert!(numbers(&y).iter().all(|v| v.is_finite()), "causal: {causal}, {config:?}");
        }
    }
}

/// Noise is on in training only, is the same for the same key, and belongs to the sample.
#[test]
fn dropout_of_weights_is_keyed_by_sample() {
    for config in [
        MixerConfig::SoftmaxAttention(SoftmaxAttentionConfig {
            heads: 2,
            attention_dropout: 0.4,
            ..Default::default()
        }),
        MixerConfig::Gau(GauConfig { attention_dropout: 0.4, ..gau(NormaliserConfig::Relu2Sum) }),
        MixerConfig::Flash(FlashConfig { attention_dropout: 0.4, ..flash() }),
        MixerConfig::Convolution(ConvolutionConfig {
            drop_connect: 0.4,
            filters: Filters::Dynamic,
            heads: 2,
            ..Default::default()
        }),
    ] {
        let (mixer, x) = (build_for(&config, N), input(2, N));
        let train = |x: Tensor<3>, key, samples: [u64; 2]| {
            let mode = crate::Mode::Train;
            mixer.forward(
                x,
                &Context { mode, key: Key::root(key), samples: samples.into(), ..context(2, true) },
            )
        };
        let flip = |x: &Tensor<3>| x.clone().flip([0]);
        let noisy = train(x.clone(), 1, [8, 9]);
        assert_eq!(numbers(&noisy), numbers(&train(x.clone(), 1, [8, 9])));
        assert_eq!(numbers(&flip(&noisy)), numbers(&train(flip(&x), 1, [9, 8])));
        assert!(difference(&noisy, &train(x.clone(), 2, [8, 9])) > 1e-6);
        assert!(difference(&noisy, &forward(&mixer, &x, true, Mask::default())) > 1e-6);
    }
}

/// Filters that all rows share lose the same weights in every row.
#[test]
fn drop_connect_of_a_shared_table_is_keyed_by_step() {
    let config = ConvolutionConfig { drop_connect: 0.4, heads: 2, ..Default::default() };
    let (mixer, x) = (build(&MixerConfig::Convolution(config)), input(2, N));
    let train = |x: Tensor<3>, key, samples: [u64; 2]| {
        let mode = crate::Mode::Train;
        mixer.forward(x, &Context { mode, key: Key::root(key), samples: samples.into(), ..context(2, true) })
    };
    let noisy = train(x.clone(), 1, [8, 9]);
    assert_eq!(numbers(&noisy), numbers(&train(x.clone(), 1, [3, 4])));
    assert!(difference(&noisy, &train(x.clone(), 2, [8, 9])) > 1e-6);
    assert!(difference(&noisy, &forward(&mixer, &x, true, Mask::default())) > 1e-6);
}
