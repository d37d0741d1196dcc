use super::{cross_entropy, portable};
use crate::harness::{Inputs, PRECISIONS, SIZES, differentiate, evaluate, fast_equals_portable, numbers};
use burn::tensor::{Device, Int, Tensor, TensorData};
use mixlab_core::{Key, Precision, Purpose};

struct Operands {
    hidden: Tensor<2>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    targets: Tensor<1, Int>,
    weights: Tensor<1>,
}

fn operands(t: &mut Inputs, rows: usize, width: usize, vocabulary: usize, bias: bool) -> Operands {
    let stream = Key::root(11).purpose(Purpose::Synthetic).sample(0);
    let target = |i| stream.below(i, vocabulary as u64) as i64;
    let targets: Vec<i64> = (0..rows as u64).map(target).collect();
    // A quarter of the rows does not count.
    let weights = (0..rows).map(|i| [0.5, 1.0, 0.0, 0.25][(i + 1) % 4]).collect();
    Operands {
        hidden: t.input("hidden", [rows, width]),
        weight: t.input("weight", [vocabulary, width]).mul_scalar(0.3),
        bias: bias.then(|| t.input("bias", [vocabulary])),
        targets: Tensor::from_data(TensorData::new(targets, [rows]), t.device()),
        weights: t.constant(weights, [rows]),
    }
}

fn fast(o: Operands) -> Tensor<1> {
    cross_entropy(o.hidden, o.weight, o.bias, o.targets, o.weights)
}

fn slow(o: Operands) -> Tensor<1> {
    portable::cross_entropy(o.hidden, o.weight, o.bias, o.targets, o.weights)
}

#[test]
fn equals_the_portable_definition() {
    // One class has a loss of zero and no gradient: there is nothing to compare.
    let vocabularies = SIZES.into_iter().filter(|&size| size > 1).map(|vocabulary| (7, 5, vocabulary));
    let cases = SIZES.map(|rows| (rows, 6, 10)).into_iter().chain(vocabularies);
    // Several blocks of rows, and several groups of rows in a block.
    for (rows, width, vocabulary) in cases.chain([(1100, 4, 30), (300, 3, 200)]) {
        for bias in [false, true] {
            fast_equals_portable(
                &format!("{rows} x {width} over {vocabulary}, bias {bias}"),
                |t| fast(operands(t, rows, width, vocabulary, bias)),
                |t| slow(operands(t, rows, width, vocabulary, bias)),
            );
        }
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    differentiate("cross-entropy", |t| fast(operands(t, 6, 5, 8, true)));
}

/// The gradients are computed for a seed of 1 and multiplied by the seed that comes.
#[test]
fn the_seed_scales_the_gradients() {
    for (precision, tolerance) in PRECISIONS {
        let scaled = evaluate(precision, |t| fast(operands(t, 9, 4, 6, true)).mul_scalar(-3.0));
        let expected = evaluate(precision, |t| slow(operands(t, 9, 4, 6, true)).mul_scalar(-3.0));
        crate::harness::assert_close("seed", &scaled, &expected, tolerance);
    }
}

#[test]
fn targets_of_rows_without_weight_are_not_read() {
    let device = Device::flex();
    let hidden = Tensor::<2>::from_floats([[1.0], [2.0]], &device);
    let weight = Tensor::<2>::from_floats([[0.5], [-0.5]], &device);
    let targets = Tensor::<1, Int>::from_data([0, -100], &device);
    let loss = |weights: [f32; 2]| {
        let weights = Tensor::<1>::from_floats(weights, &device);
        numbers(cross_entropy(hidden.clone(), weight.clone(), None, targets.clone(), weights))[0]
    };
    // −ln σ(1).
    assert!((loss([1.0, 0.0]) - 0.313_261_69).abs() < 1e-6);
    assert_eq!(loss([0.0, 0.0]), 0.0);
}

#[test]
#[should_panic(expected = "target 5 of row 0")]
fn a_target_outside_the_vocabulary_is_refused() {
    let device = Device::flex();
    let targets = Tensor::<1, Int>::from_data([5], &device);
    let ones = |shape| Tensor::<2>::ones(shape, &device);
    cross_entropy(ones([1, 3]), ones([5, 3]), None, targets, Tensor::ones([1], &device));
}

/// Logits of ±1000 have finite losses and gradients.
#[test]
fn large_logits() {
    let result = evaluate(Precision::F32, |t| {
        let o = operands(t, 8, 4, 6, true);
        fast(Operands { weight: o.weight.mul_scalar(1000.0), ..o })
    });
    assert!(result.iter().all(|(_, values)| values.iter().all(|x| x.is_finite())));
}
