//! What the tests of every operation share: named random inputs, value and gradients in one call,
//! comparison that names the tensor and the worst index, one and two threads, finite differences.
//!
//! ```text
//! let case = Case::new(Precision::F64);
//! case.equal("norm n=63", |t| norm(t.input("x", [2, 63]), ..), |t| portable::norm(t.input("x", [2, 63]), ..));
//! case.same_bits("norm", |t| ..);
//! differentiate("norm", |t| ..);
//! ```

use burn::tensor::{Device, Tensor, TensorData};
use mixlab_core::{Key, Precision, Purpose, hash64};

/// Sizes around those at which vectorised and blocked loops change their path.
pub(crate) const SIZES: [usize; 6] = [1, 2, 63, 64, 65, 100];

/// Both precisions, each with the relative error a kernel may have against its portable definition.
pub(crate) const PRECISIONS: [(Precision, f64); 2] = [(Precision::F64, 1e-12), (Precision::F32, 1e-5)];

/// Hands out the inputs of one evaluation; the values depend on name and shape alone.
pub(crate) struct Inputs {
    precision: Precision,
    device: Device,
    leaves: Vec<(String, Tensor<1>)>,
    /// Leaf, element and amount of a finite difference.
    change: Option<(usize, usize, f64)>,
}

impl Inputs {
    fn new(precision: Precision, device: Device) -> Self {
        Inputs { precision, device, leaves: Vec::new(), change: None }
    }

    /// A tracked standard normal tensor.
    pub(crate) fn input<const D: usize>(&mut self, name: &str, shape: [usize; D]) -> Tensor<D> {
        let mut values = normals(name, shape.iter().product());
        if let Some((leaf, element, amount)) = self.change
            && leaf == self.leaves.len()
        {
            values[element] += amount;
        }
        let leaf = self.create(values);
        let leaf = if self.device.is_autodiff() { leaf.require_grad() } else { leaf };
        self.leaves.push((name.to_owned(), leaf.clone()));
        leaf.reshape(shape)
    }

    /// A tensor that gets no gradient.
    pub(crate) fn constant<const D: usize>(&self, values: Vec<f64>, shape: [usize; D]) -> Tensor<D> {
        self.create(values).reshape(shape)
    }

    /// The device of this evaluation, for integer inputs.
    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    fn create(&self, values: Vec<f64>) -> Tensor<1> {
        let length = values.len();
        let data = TensorData::new(values, [length]);
        Tensor::from_data(data, (&self.device, self.precision.dtype()))
    }
}

/// Inputs of an evaluation without gradients.
pub(crate) fn untracked(precision: Precision) -> Inputs {
    Inputs::new(precision, Device::flex())
}

/// Standard normals that are a function of the name.
pub(crate) fn normals(name: &str, length: usize) -> Vec<f64> {
    let stream = Key::root(hash64(name.as_bytes())).purpose(Purpose::Synthetic).sample(0);
    stream.normals().take(length).collect()
}

/// The numbers of a tensor in double precision.
pub(crate) fn numbers<const D: usize>(x: Tensor<D>) -> Vec<f64> {
    x.into_data().iter::<f64>().collect()
}

/// The value of an operation and the gradient of every input, each with its name.
pub(crate) type Evaluation = Vec<(String, Vec<f64>)>;

/// Evaluates an operation with gradients seeded by fixed random numbers.
pub(crate) fn evaluate<const D: usize>(
    precision: Precision,
    operation: impl FnOnce(&mut Inputs) -> Tensor<D>,
) -> Evaluation {
    let mut inputs = Inputs::new(precision, Device::flex().autodiff());
    let value = operation(&mut inputs);
    let seed = inputs.create(normals("seed", value.shape().num_elements())).reshape(value.dims());
    let gradients = (value.clone() * seed).sum().backward();
    let mut result = vec![("value".to_owned(), numbers(value.inner()))];
    for (name, leaf) in &inputs.leaves {
        let gradient = leaf.grad(&gradients).unwrap_or_else(|| panic!("no gradient of {name}"));
        result.push((format!("gradient of {name}"), numbers(gradient)));
    }
    result
}

/// Asserts that two evaluations agree. The error of an element is relative to the larger of its size and the
/// root mean square of its tensor, so that cancellation in single elements does not count.
pub(crate) fn assert_close(name: &str, actual: &Evaluation, expected: &Evaluation, tolerance: f64) {
    assert_eq!(actual.len(), expected.len(), "{name}: number of tensors");
    for ((tensor, actual), (other, expected)) in actual.iter().zip(expected) {
        assert_eq!(tensor, other, "{name}: order of tensors");
        assert_eq!(actual.len(), expected.len(), "{name}: size of {tensor}");
        let square: f64 = expected.iter().map(|x| x * x).sum();
        let typical = (square / expected.len().max(1) as f64).sqrt();
        let error = |i: usize| {
            let error = (actual[i] - expected[i]).abs() / expected[i].abs().max(typical).max(1e-30);
            if error.is_nan() { f64::INFINITY } else { error }
        };
        let worst = (0..actual.len()).max_by(|&i, &j| error(i).total_cmp(&error(j)));
        if let Some(i) = worst
            && error(i) > tolerance
        {
            panic!(
                "{name}: {tensor}[{i}] of {} is {:e}, expected {:e}: relative error {:.2e} above {tolerance:.0e}",
                actual.len(),
                actual[i],
                expected[i],
                error(i)
            );
        }
    }
}

/// Asserts in both precisions that a kernel equals its portable definition in value and every gradient,
/// tracked and untracked, and gives the same bits on one and on two threads.
pub(crate) fn fast_equals_portable<const D: usize>(
    name: &str,
    fast: impl Fn(&mut Inputs) -> Tensor<D> + Sync,
    portable: impl Fn(&mut Inputs) -> Tensor<D>,
) {
    for (precision, tolerance) in PRECISIONS {
        let name = format!("{name} {precision:?}");
        let expected = evaluate(precision, portable_once(&portable));
        assert_close(&name, &evaluate(precision, |t| fast(t)), &expected, tolerance);
        let untracked = numbers(fast(&mut untracked(precision)));
        let untracked = vec![("value without gradients".to_owned(), untracked)];
        let value = vec![("value without gradients".to_owned(), expected[0].1.clone())];
        assert_close(&name, &untracked, &value, tolerance);
        same_bits(&name, || evaluate(precision, |t| fast(t)));
    }
}

fn portable_once<const D: usize>(
    portable: &impl Fn(&mut Inputs) -> Tensor<D>,
) -> impl FnOnce(&mut Inputs) -> Tensor<D> {
    move |t| portable(t)
}

/// Asserts that a computation gives the same bits in pools of one and of two threads.
pub(crate) fn same_bits(name: &str, compute: impl Fn() -> Evaluation + Sync) {
    let [one, two] = [1, 2].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("thread pool");
        pool.install(&compute)
    });
    for ((tensor, one), (_, two)) in one.iter().zip(&two) {
        let differs = one.iter().zip(two).position(|(a, b)| a.to_bits() != b.to_bits());
        if let Some(i) = differs {
            panic!("{name}: {tensor}[{i}] is {:e} on one thread, {:e} on two", one[i], two[i]);
        }
    }
}

/// Asserts in double precision that the gradients of an operation are those of central differences,
/// at up to 24 elements of each input.
pub(crate) fn differentiate<const D: usize>(name: &str, operation: impl Fn(&mut Inputs) -> Tensor<D>) {
    const STEP: f64 = 1e-5;
    let analytic = evaluate(Precision::F64, |t| operation(t));
    let loss = |leaf: usize, element: usize, amount: f64| -> f64 {
        let mut inputs = untracked(Precision::F64);
        inputs.change = Some((leaf, element, amount));
        let value = numbers(operation(&mut inputs));
        value.iter().zip(normals("seed", value.len())).map(|(x, seed)| x * seed).sum()
    };
    for (leaf, (tensor, gradient)) in analytic[1..].iter().enumerate() {
        let stride = gradient.len().div_ceil(24);
        for element in (0..gradient.len()).step_by(stride) {
            let difference = (loss(leaf, element, STEP) - loss(leaf, element, -STEP)) / (2.0 * STEP);
            let error = (gradient[element] - difference).abs() / difference.abs().max(1.0);
            assert!(
                error < 1e-7,
                "{name}: {tensor}[{element}] is {:e}, by differences {difference:e}",
                gradient[element]
            );
        }
    }
}
