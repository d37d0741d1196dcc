//! Continuing a sequence piece by piece equals the full pass.

use proptest::prelude::*;

use super::*;

fn in_pieces(mixer: &Mixer, x: &Tensor<3>, pieces: &[usize]) -> (Tensor<3>, MixerState) {
    let [batch, n, _] = x.dims();
    let mut state = mixer.state(batch).expect("a streaming mixer");
    let (mut start, mut out) = (0, Vec::new());
    for piece in pieces.iter().copied().chain([n]) {
        let end = (start + piece).min(n);
        if start < end {
            let context = Context { start, ..context(batch, true) };
            out.push(mixer.step(rows(x, start..end), &mut state, &context));
        }
        start = end;
    }
    (Tensor::cat(out, 1), state)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_split_equals_the_full_pass(n in 1usize..=MAX_LENGTH + 3, pieces in prop::collection::vec(1usize..9, 0..12)) {
        for config in registered().into_iter().filter(|config| config.promises(true).streaming) {
            let n = config.lengths(MAX_LENGTH, true).most().map_or(n, |most| n.min(most));
            let (mixer, x) = (build(&config), input(2, n));
            let (found, state) = in_pieces(&mixer, &x, &pieces);
            let worst = difference(&found, &forward(&mixer, &x, true, Mask::default()));
            prop_assert!(worst < 1e-12, "{worst}: {config:?}");
            prop_assert_eq!(state.position(), n);
        }
    }
}

#[test]
fn single_precision_streams_within_its_rounding() {
    for config in registered().into_iter().filter(|config| config.promises(true).streaming) {
        let mixer = build_on(&config, MAX_LENGTH, &Device::flex(), Precision::F32);
        let x = draw(Key::root(23), [1, MAX_LENGTH, WIDTH], Precision::F32);
        let (found, _) = in_pieces(&mixer, &x, &[1; MAX_LENGTH]);
        let worst = difference(&found, &forward(&mixer, &x, true, Mask::default()));
        assert!(worst < 1e-5, "{worst}: {config:?}");
    }
}

/// Linear attention never grows; FLASH stays below one chunk above its sum.
#[test]
fn recurrent_states_are_bounded() {
    let largest = |config: &MixerConfig| {
        let mixer = build(config);
        let mut state = mixer.state(1).expect("a streaming mixer");
        let x = input(1, 1);
        let mut sizes = Vec::new();
        for start in 0..300 {
            mixer.step(x.clone(), &mut state, &Context { start, ..context(1, true) });
            sizes.push(state.size());
        }
        (sizes[..2 * CHUNK].iter().copied().max(), sizes.iter().copied().max(), state.size())
    };
    let linear = MixerConfig::LinearAttention(LinearAttentionConfig { heads: 2, ..Default::default() });
    let constant = Some(2 * (4 * 4 + 4));
    assert_eq!(largest(&linear), (constant, constant, 40));
    let (early, late, _) = largest(&MixerConfig::Flash(flash()));
    assert_eq!(early, late);
    assert_eq!(late, Some(6 * 12 + (CHUNK - 1) * (6 + 6 + 12)));
    // A convolution keeps the inputs its filters reach back to, (4 − 1) · 2 of them.
    for filters in [Filters::Lightweight, Filters::Dynamic] {
        let config = ConvolutionConfig {
            filters,
            kernels: vec![4],
            dilations: vec![2],
            heads: 2,
            ..Default::default()
        };
        let reach = Some(6 * WIDTH);
        assert_eq!(largest(&MixerConfig::Convolution(config)), (reach, reach, 6 * WIDTH));
    }
}

#[test]
fn what_cannot_stream_says_why_and_what_to_do() {
    use mixlab_core::Diagnose;
    let error = |config: GauConfig| build(&MixerConfig::Gau(config)).state(1).expect_err("no streaming form");
    let by_normaliser = error(gau(NormaliserConfig::Relu2Nn));
    assert!(by_normaliser.to_string().contains("normaliser `relu2_nn`"), "{by_normaliser}");
    assert!(by_normaliser.hint().is_some_and(|hint| hint.contains("relu2_len")));
    let relative_bias = RelativeBiasConfig::ToeplitzByLength { deviation: 0.1 };
    let by_bias = error(GauConfig { relative_bias, ..gau(NormaliserConfig::Relu2Len) });
    assert!(by_bias.hint().is_some_and(|hint| hint.contains("toeplitz")));
}

#[test]
#[should_panic(expected = "every earlier position")]
fn a_step_at_the_wrong_place_is_refused() {
    let mixer = build(&MixerConfig::Flash(flash()));
    let mut state = mixer.state(1).expect("a streaming mixer");
    mixer.step(input(1, 1), &mut state, &Context { start: 3, ..context(1, true) });
}
