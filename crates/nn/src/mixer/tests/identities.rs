//! What a unit becomes when one of its parts is made trivial, and how large it starts.

use mixlab_kernels::{Activation, SoftmaxOptions, activation, softmax_attention};

use super::*;

fn parameter<const D: usize>(mixer: &Mixer, path: &str, shape: [usize; D]) -> Tensor<D> {
    parameter_values(mixer).remove(path).unwrap_or_else(|| panic!("no parameter `{path}`")).reshape(shape)
}

fn without_biases() -> GauConfig {
    GauConfig { bias: false, ..gau(NormaliserConfig::Softmax) }
}

/// Every token a document of its own under a softmax: A = I, and what is left is a gated linear unit.
#[test]
fn with_identity_attention_it_is_a_gated_linear_unit() {
    let mixer = build(&MixerConfig::Gau(without_biases()));
    let x = input(1, 5);
    let found = forward(&mixer, &x, false, segments(&[0, 1, 2, 3, 4]));
    let weight = parameter(&mixer, "unit.input.weight", [WIDTH, 30]);
    let silu = |range: std::ops::Range<usize>| {
        activation(x.clone().matmul(weight.clone().slice([0..WIDTH, range]).unsqueeze()), Activation::Silu)
    };
    let output = parameter(&mixer, "unit.output.weight", [12, WIDTH]);
    let expected = (silu(0..12) * silu(12..24)).matmul(output.unsqueeze());
    assert!(difference(&found, &expected) < 1e-13);
}

/// W_u = 0 with the bias at which silu is 1: the gate is open, and what is left is plain attention.
#[test]
fn with_an_open_gate_it_is_plain_attention() {
    let rotary = RotaryConfig::none();
    let mixer =
        build(&MixerConfig::Gau(GauConfig { rotary, affine_bias: false, ..gau(NormaliserConfig::Softmax) }));
    let open = 1.278_464_542_761_074;
    let weight = parameter(&mixer, "unit.input.weight", [WIDTH, 30]);
    let closed = Tensor::cat(vec![weight.clone().narrow(1, 0, 12).zeros_like(), weight.narrow(1, 12, 18)], 1);
    let bias = parameter(&mixer, "unit.input.bias", [30]);
    let bias = Tensor::cat(
        vec![bias.clone().narrow(0, 0, 12).zeros_like().add_scalar(open), bias.narrow(0, 12, 18)],
        0,
    );
    let new = BTreeMap::from([
        ("unit.input.weight".to_owned(), closed.clone().reshape([WIDTH * 30])),
        ("unit.input.bias".to_owned(), bias.clone()),
    ]);
    let mixer = with_parameters(mixer, new);
    let x = input(2, 7);
    let found = forward(&mixer, &x, true, Mask::default());

    let all = activation(x.matmul(closed.unsqueeze()) + bias.unsqueeze(), Activation::Silu);
    let gamma = parameter(&mixer, "unit.gamma", [2, 6]);
    let head =
        |row| (all.clone().narrow(2, 24, 6) * gamma.clone().narrow(0, row, 1).unsqueeze()).unsqueeze_dim(2);
    let options =
        SoftmaxOptions { scale: 6f64.powf(-0.5), causal: true, mask: Mask::default(), dropout: None };
    let value = all.clone().narrow(2, 12, 12).unsqueeze_dim(2);
    let attended: Tensor<3> = softmax_attention(head(0), head(1), value, options).squeeze_dim(2);
    let output = parameter(&mixer, "unit.output.weight", [12, WIDTH]);
    let expected =
        attended.matmul(output.unsqueeze()) + parameter(&mixer, "unit.output.bias", [WIDTH]).unsqueeze();
    assert!(difference(&found, &expected) < 1e-12);
}

/// One chunk that holds the whole sequence: causal FLASH is the unit with constant c.
#[test]
fn with_one_chunk_flash_is_a_gated_attention_unit() {
    let flash = build(&MixerConfig::Flash(FlashConfig {
        chunk: 16,
        bias: true,
        rotary: RotaryConfig::default(),
        ..flash()
    }));
    let unit = build(&MixerConfig::Gau(gau(NormaliserConfig::Relu2Const { constant: 16.0 })));
    let mut shared = parameter_values(&flash);
    // The unit has the first two of the four affine maps.
    for path in ["unit.gamma", "unit.beta"] {
        let four = shared.remove(path).expect("an affine map");
        shared.insert(path.to_owned(), four.narrow(0, 0, 12));
    }
    let unit = with_parameters(unit, shared);
    let x = input(2, 11);
    let (a, b) = (forward(&flash, &x, true, Mask::default()), forward(&unit, &x, true, Mask::default()));
    assert!(difference(&a, &b) < 1e-13);
}

/// relu2_ns at width 768, e = 1536, s = 128, n = 512 under LeCun's initialisation with Q = K = Z: the
/// branch starts near 0.05 of its input, not near the 0.011 of an estimate that leaves out the
/// off-diagonal terms.
#[test]
fn branch_size_at_initialisation() {
    let scheme = InitialisationConfig::Lecun { embedding_deviation: 0.02, scale_outputs: false };
    let rotary = RotaryConfig::none();
    let config = GauConfig { rotary, ..GauConfig::new(NormaliserConfig::Relu2Ns) };
    let builder = Builder::new(1, &Device::flex(), Precision::F32, scheme, 24);
    let mixer = MixerConfig::Gau(config)
        .init(Place { width: 768, max_length: 512, layer: 0 }, &builder)
        .expect("a valid config");
    let x = draw(Key::root(3), [1, 512, 768], Precision::F32);
    let y = numbers(&mixer.forward(x, &context(1, false)));
    let size = (y.iter().map(|v| v * v).sum::<f64>() / y.len() as f64).sqrt();
    assert!((0.03..0.09).contains(&size), "{size}");
}
