//! What the tests of the attention operations share: masks of every kind, dropout, tensors by name.

use burn::tensor::{DType, Device, Tensor, TensorData};
use mixlab_core::Key;

use crate::harness::{normals, numbers};
use crate::{Dropout, Mask};

/// Masks of every kind and combination for `batch` rows of `keys`, each with a name.
pub(crate) fn masks(batch: usize, keys: usize) -> Vec<(&'static str, Mask)> {
    let padding = |real: fn(usize, usize, usize) -> bool| {
        Some((0..batch * keys).map(|i| real(i / keys, i % keys, keys)).collect())
    };
    // Row 1 is one key shorter for every third key; row 2 has no real key at all.
    let right = |b: usize, j: usize, keys: usize| b != 2 && j < keys - b * keys.div_ceil(3);
    let holes = |b: usize, j: usize, keys: usize| j * 7 % 5 != b && (b == 0 || j > keys / 4);
    let segments = || Some((0..batch * keys).map(|i| segment(i / keys, i % keys, keys)).collect());
    vec![
        ("none", Mask::default()),
        ("right padding", Mask { padding: padding(right), segments: None }),
        ("holes", Mask { padding: padding(holes), segments: None }),
        ("documents", Mask { padding: None, segments: segments() }),
        ("documents, holes", Mask { padding: padding(holes), segments: segments() }),
    ]
}

/// Documents whose lengths differ from row to row; ids need not start at zero nor rise.
fn segment(b: usize, j: usize, keys: usize) -> u32 {
    let first = keys.div_ceil(3) + b;
    if j < first { 7 } else { 3 + (j - first) as u32 / (5 + keys as u32 / 3) * 9 }
}

/// A dropout with sample ids of their own for each row.
pub(crate) fn dropout(batch: usize) -> Dropout {
    let samples = (0..batch as u64).map(|b| 40 + 3 * b).collect();
    Dropout { rate: 0.2, key: Key::root(1).site("test"), samples }
}

/// A standard normal tensor in double precision, a function of name and shape.
pub(crate) fn normal<const D: usize>(name: &str, shape: [usize; D]) -> Tensor<D> {
    double(normals(name, shape.iter().product()), shape)
}

pub(crate) fn double<const D: usize>(values: Vec<f64>, shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), (&Device::flex(), DType::F64))
}

/// Asserts that two tensors agree to `tolerance`; zero asks for the same bits.
pub(crate) fn assert_near<const D: usize>(
    name: &str,
    actual: Tensor<D>,
    expected: Tensor<D>,
    tolerance: f64,
) {
    assert_eq!(actual.dims(), expected.dims(), "{name}");
    let (actual, expected) = (numbers(actual), numbers(expected));
    for (i, (x, y)) in actual.iter().zip(&expected).enumerate() {
        assert!((x - y).abs() <= tolerance * y.abs().max(1.0), "{name}: [{i}] is {x:e}, expected {y:e}");
    }
}

/// Asserts that rows `0..position` of axis 1 do not change, not by a bit, when `change` is applied, and that a
/// later row does where there are enough of them for some weight to be positive.
pub(crate) fn assert_causal<const D: usize>(name: &str, position: usize, run: impl Fn(bool) -> Tensor<D>) {
    let (before, after) = (run(false), run(true));
    let n = before.dims()[1];
    let head = |x: &Tensor<D>| x.clone().narrow(1, 0, position);
    assert_near(name, head(&after), head(&before), 0.0);
    let tail = |x: Tensor<D>| numbers(x.narrow(1, position, n - position));
    if n - position > 8 {
        assert_ne!(tail(after), tail(before), "{name}: later rows see the change");
    }
}

/// `x` with 1000 added at `position` of axis 1.
pub(crate) fn disturbed<const D: usize>(x: Tensor<D>, position: usize) -> Tensor<D> {
    let [head, rest] = [0..position, position..x.dims()[1]].map(|range| x.clone().slice_dim(1, range));
    let (here, tail) = (rest.clone().narrow(1, 0, 1), rest.slice_dim(1, 1..));
    Tensor::cat(vec![head, here.add_scalar(1000.0), tail], 1)
}
