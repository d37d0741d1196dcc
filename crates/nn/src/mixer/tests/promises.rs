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
        let mixer = build(&config);
        for causal in [true, false] {
            let observed = Promises {
                causal: keeps_the_past(&mixer, causal),
                any_length: takes_longer_sequences(&mixer, causal),
                padding_safe: ignores_padding(&mixer, causal),
                streaming: streams(&mixer, causal),
                prefix_consistent: keeps_prefixes(&mixer, causal),
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

fn takes_longer_sequences(mixer: &Mixer, causal: bool) -> bool {
    let long = MAX_LENGTH + 5;
    let run = |n| catch_unwind(AssertUnwindSafe(|| forward(mixer, &input(1, n), causal, Mask::default())));
    assert!(run(MAX_LENGTH).is_ok() && run(1).is_ok(), "lengths up to the maximum work everywhere");
    run(long).is_ok_and(|y| numbers(&y).iter().all(|v| v.is_finite()))
}

/// Padding behind a sequence, and a hidden token inside it whose content changes.
fn ignores_padding(mixer: &Mixer, causal: bool) -> bool {
    let x = input(2, N);
    let short = forward(mixer, &rows(&x, 0..N - 3), causal, Mask::default());
    let mask = || padding(&[vec![true; N - 3], vec![false; 3]].concat().repeat(2));
    let padded = forward(mixer, &x, causal, mask());
    let behind = equal(&rows(&padded, 0..N - 3), &short, "padding behind");

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

fn keeps_prefixes(mixer: &Mixer, causal: bool) -> bool {
    let x = input(2, N);
    let whole = forward(mixer, &x, causal, Mask::default());
    (1..N).all(|t| {
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
/// row, so there the boundary stands between two chunks; what depends on the padded length is exempt.
#[test]
fn packed_documents_equal_separate_ones() {
    for config in registered() {
        let mixer = build(&config);
        let boundary = 2 * CHUNK;
        let ids: Vec<u32> = (0..2 * N).map(|i| u32::from(i % N >= boundary) + 3).collect();
        for causal in [true, false] {
            let x = input(2, N);
            let packed = forward(&mixer, &x, causal, segments(&ids));
            let same = [0..boundary, boundary..N].into_iter().all(|part| {
                let alone = forward(&mixer, &rows(&x, part.clone()), causal, Mask::default());
                equal(&rows(&packed, part), &alone, "packed")
            });
            assert_eq!(same, mixer.promises(causal).padding_safe, "causal: {causal}, {config:?}");
        }
    }
}

/// Wherever the boundary falls, nothing crosses it.
#[test]
fn documents_never_see_each_other() {
    for config in registered() {
        let mixer = build(&config);
        for boundary in [1, 5, 8] {
            let ids: Vec<u32> = (0..N).map(|i| u32::from(i >= boundary)).collect();
            for causal in [true, false] {
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
        let (mixer, x) = (build(&config), input(2, N));
        for causal in [true, false] {
            let shifted = mixer.forward(x.clone(), &Context { start: 37, ..context(2, causal) });
            assert!(equal(&shifted, &forward(&mixer, &x, causal, Mask::default()), "shift"), "{config:?}");
        }
    }
}

/// A row of which every key is hidden gives finite numbers.
#[test]
fn a_row_without_keys_is_finite() {
    for config in registered() {
        let mixer = build(&config);
        for causal in [true, false] {
            let y = forward(&mixer, &input(1, N), causal, padding(&[false; N]));
            assert!(numbers(&y).iter().all(|v| v.is_finite()), "causal: {causal}, {config:?}");
        }
    }
}

/// Noise is on in training only, is the same for the same key, and belongs to the sample.
#[test]
fn attention_dropout_is_keyed_by_sample() {
    for config in [
        MixerConfig::SoftmaxAttention(SoftmaxAttentionConfig {
            heads: 2,
            attention_dropout: 0.4,
            ..Default::default()
        }),
        MixerConfig::Gau(GauConfig { attention_dropout: 0.4, ..gau(NormaliserConfig::Relu2Sum) }),
        MixerConfig::Flash(FlashConfig { attention_dropout: 0.4, ..flash() }),
    ] {
        let (mixer, x) = (build(&config), input(2, N));
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
