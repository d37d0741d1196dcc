//! What a critic that is linear between kinks did, and its gradients in closed form.
//!
//! With z_l = W_l·h_{l−1} + β_l, h_l = M_l·z_l (M_l the slopes where the sample is), adjoints δ_l = ∂f/∂z_l and tangents ḣ_l = M_l·W_l·ḣ_{l−1}:
//!
//! ```text
//! ∂/∂W_l Σ_b [a_b·f(x_b) + c_b·D_{u_b}f(x_b)] = Σ_b δ_l·(a_b·h_{l−1} + c_b·ḣ_{l−1})ᵀ          ∂/∂β_l = Σ_b a_b·δ_l
//! ```
//!
//! which is the usual backward pass with h replaced by h̃ = a·h + c·ḣ; and h̃ is one pass of its own, h̃_l = M_l·(W_l·h̃_{l−1} + a·β_l) from
//! h̃_0 = a·x + c·u. So four passes (values, adjoints, replaced values, weights) do what a second-order autodiff does in six, and nothing but
//! slopes, adjoints and inputs is kept.

use std::ops::Range;

use burn::tensor::{Int, Tensor};
use mixlab_kernels::{
    ConvolutionWindow, Epilogue, Gate, image_convolution_with, linear_with, rectifier_gate,
    transposed_image_convolution_with,
};

use super::affine::{Affine, ByPath};
use super::dense::flat;
use super::pooling::{average, doubled, mean, picked, placed};

/// One thing a critic did, with what its derivatives need.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    /// An affine map of all numbers.
    Dense(Affine<2>, [[usize; 4]; 2]),
    /// A convolution.
    Convolution(Affine<4>, ConvolutionWindow),
    /// max(x, 0) + slope·min(x, 0), by the sign of what came out.
    Rectify { output: Tensor<4>, slope: f64 },
    /// 2 × 2 averages.
    Average,
    /// The average of all pixels of an input of this shape.
    Mean { shape: [usize; 4] },
    /// 2 × 2 maxima, by which of the four pixels is the largest.
    Largest { places: Tensor<5, Int> },
    /// The sum of two ways.
    Sum { branch: Tape, shortcut: Tape },
}

impl Operation {
    /// A dense layer at `path`; `shapes` are those of what goes in and comes out.
    pub fn dense(
        path: &str,
        weight: Tensor<2>,
        bias: Tensor<1>,
        input: Tensor<2>,
        shapes: [[usize; 4]; 2],
    ) -> Self {
        Operation::Dense(Affine::new(path, weight, bias, input), shapes)
    }

    /// A convolution at `path`.
    pub fn convolution(
        path: &str,
        weight: Tensor<2>,
        bias: Tensor<1>,
        window: ConvolutionWindow,
        input: Tensor<4>,
    ) -> Self {
        Operation::Convolution(Affine::new(path, weight, bias, input), window)
    }

    /// Its part of some samples.
    fn of(&self, samples: Range<usize>) -> Self {
        let sized = |[_, height, width, channels]: [usize; 4]| [samples.len(), height, width, channels];
        match self {
            Operation::Dense(map, shapes) => Operation::Dense(map.of(samples.clone()), shapes.map(sized)),
            Operation::Convolution(map, window) => Operation::Convolution(map.of(samples), *window),
            Operation::Rectify { output, slope } => {
                let output = output.clone().narrow(0, samples.start, samples.len());
                Operation::Rectify { output, slope: *slope }
            }
            Operation::Average => Operation::Average,
            Operation::Mean { shape } => Operation::Mean { shape: sized(*shape) },
            Operation::Largest { places } => {
                Operation::Largest { places: places.clone().narrow(0, samples.start, samples.len()) }
            }
            Operation::Sum { branch, shortcut } => {
                Operation::Sum { branch: branch.of(samples.clone()), shortcut: shortcut.of(samples) }
            }
        }
    }

    /// Keeps the adjoints that gradients of parameters need.
    fn meet(&mut self, dy: Tensor<4>) {
        match self {
            Operation::Dense(map, _) => map.adjoint = Some(flat(dy)),
            Operation::Convolution(map, _) => map.adjoint = Some(dy),
            Operation::Sum { branch, shortcut } => {
                branch.pull_to_parameters(dy.clone());
                shortcut.pull_to_parameters(dy);
            }
            Operation::Rectify { .. }
            | Operation::Average
            | Operation::Mean { .. }
            | Operation::Largest { .. } => {}
        }
    }

    /// The adjoint of the input, through the gate of a rectifier that the input came out of.
    fn pull(&mut self, dy: Tensor<4>, gate: Option<Gate<4>>) -> Tensor<4> {
        let dx = match self {
            Operation::Dense(map, [shape, _]) => {
                let dy = flat(dy);
                let gate = gate.map(|gate| gate.reshape(map.input.dims()));
                let dx = linear_with(dy.clone(), map.weight.clone().transpose(), Epilogue::gate(gate));
                map.adjoint = Some(dy);
                return dx.reshape(*shape);
            }
            Operation::Convolution(map, window) => {
                map.adjoint = Some(dy.clone());
                let [_, height, width, _] = map.input.dims();
                let (weight, size) = (map.weight.clone(), [height, width]);
                return transposed_image_convolution_with(dy, weight, *window, size, Epilogue::gate(gate));
            }
            Operation::Rectify { output, slope } => rectifier_gate(dy, output.clone(), *slope),
            Operation::Average => doubled(dy).mul_scalar(0.25),
            Operation::Mean { shape } => {
                let pixels = shape[1] * shape[2];
                dy.mul_scalar(1.0 / pixels as f64).expand(*shape)
            }
            Operation::Largest { places } => placed(dy, places.clone()),
            Operation::Sum { branch, shortcut } => branch.pull(dy.clone()) + shortcut.pull(dy),
        };
        Epilogue::gate(gate).apply(dx)
    }

    /// The adjoint of the input of some samples, after those of all that gradients of parameters need.
    fn pull_of(&mut self, dy: Tensor<4>, samples: Range<usize>) -> Tensor<4> {
        if let Operation::Sum { branch, shortcut } = self {
            return branch.pull_of(dy.clone(), samples.clone()) + shortcut.pull_of(dy, samples);
        }
        self.meet(dy.clone());
        self.of(samples.clone()).pull(dy.narrow(0, samples.start, samples.len()), None)
    }

    /// Replaced values h̃ of the output, from those of the input, through the gate of a rectifier that follows; `weights` `[b]` are a, nothing
    /// if all are 0.
    fn push(
        &self,
        h: Tensor<4>,
        weights: Option<&Tensor<1>>,
        gate: Option<Gate<4>>,
        gradients: &mut ByPath,
    ) -> Tensor<4> {
        let y = match self {
            Operation::Dense(map, [_, shape]) => {
                let h = flat(h);
                map.enter_weight(h.clone(), gradients);
                map.enter_weighed_bias(weights, gradients);
                let gate = gate.map(|gate| gate.reshape([shape[0], map.bias.dims()[0]]));
                return linear_with(h, map.weight.clone(), map.epilogue(weights, gate)).reshape(*shape);
            }
            Operation::Convolution(map, window) => {
                map.enter_weight(h.clone(), *window, gradients);
                map.enter_weighed_bias(weights, gradients);
                return image_convolution_with(h, map.weight.clone(), *window, map.epilogue(weights, gate));
            }
            Operation::Rectify { output, slope } => rectifier_gate(h, output.clone(), *slope),
            Operation::Average => average(h),
            Operation::Mean { .. } => mean(h),
            Operation::Largest { places } => picked(h, places.clone()),
            Operation::Sum { branch, shortcut } => {
                branch.push(h.clone(), weights, gradients) + shortcut.push(h, weights, gradients)
            }
        };
        Epilogue::gate(gate).apply(y)
    }

    /// Gradients of Σ_b a_b·f(x_b) alone, whose a is in the adjoints already.
    fn weigh(&self, gradients: &mut ByPath) {
        match self {
            Operation::Dense(map, _) => {
                map.enter_weight(map.input.clone(), gradients);
                map.enter_bias(gradients);
            }
            Operation::Convolution(map, window) => {
                map.enter_weight(map.input.clone(), *window, gradients);
                map.enter_bias(gradients);
            }
            Operation::Sum { branch, shortcut } => {
                branch.weigh(gradients);
                shortcut.weigh(gradients);
            }
            Operation::Rectify { .. }
            | Operation::Average
            | Operation::Mean { .. }
            | Operation::Largest { .. } => {}
        }
    }
}

/// A critic's operations in order.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    operations: Vec<Operation>,
}

impl Tape {
    pub(super) fn note(&mut self, operation: Operation) {
        self.operations.push(operation);
    }

    /// Notes a rectifier that the map before it went through, by what came out.
    pub(super) fn note_rectifier(&mut self, output: &Tensor<4>, slope: Option<f64>) {
        self.operations.extend(slope.map(|slope| Operation::Rectify { output: output.clone(), slope }));
    }

    /// Adjoints of everything, from that of the output; gives the adjoint of the input. With ones for a scalar output that is ∇ₓf of every
    /// sample.
    pub fn pull(&mut self, dy: Tensor<4>) -> Tensor<4> {
        pulled(&mut self.operations, dy)
    }

    /// The same without the adjoint of the input, for parameter gradients alone.
    pub fn pull_to_parameters(&mut self, dy: Tensor<4>) {
        let Some((first, rest)) = self.operations.split_first_mut() else { return };
        first.meet(pulled(rest, dy));
    }

    /// The same with the adjoint of the input of some samples alone.
    pub fn pull_of(&mut self, dy: Tensor<4>, samples: Range<usize>) -> Tensor<4> {
        let Some((first, rest)) = self.operations.split_first_mut() else {
            return dy.narrow(0, samples.start, samples.len());
        };
        first.pull_of(pulled(rest, dy), samples)
    }

    /// What the critic did to some samples.
    pub fn of(&self, samples: Range<usize>) -> Self {
        Tape { operations: self.operations.iter().map(|operation| operation.of(samples.clone())).collect() }
    }

    /// Adds the gradient of Σ_b a_b·f(x_b) + c_b·D_{u_b}f(x_b), with adjoints that [`Tape::pull`] made from ones. `h` is a·x + c·u and
    /// `weights` `[b]` are a, nothing if all are 0. Gives Σ's terms.
    ///
    /// # Panics
    /// Before [`Tape::pull`].
    pub fn push(&self, h: Tensor<4>, weights: Option<&Tensor<1>>, gradients: &mut ByPath) -> Tensor<4> {
        let (mut h, mut rest) = (h, self.operations.as_slice());
        while let [operation, after @ ..] = rest {
            let (gate, after) = match after {
                [Operation::Rectify { output, slope }, after @ ..] => (Some(gate(output, *slope)), after),
                _ => (None, after),
            };
            h = operation.push(h, weights, gate, gradients);
            rest = after;
        }
        h
    }

    /// Adds the gradient of Σ_b a_b·f(x_b), with adjoints that [`Tape::pull`] or [`Tape::pull_to_parameters`] made from a.
    ///
    /// # Panics
    /// Before [`Tape::pull`].
    pub fn weigh(&self, gradients: &mut ByPath) {
        self.operations.iter().for_each(|operation| operation.weigh(gradients));
    }
}

/// Adjoints of operations from the last to the first. A rectifier is part of the operation after it, which gates numbers while they are in the
/// cache.
fn pulled(operations: &mut [Operation], dy: Tensor<4>) -> Tensor<4> {
    let (mut dy, mut rest) = (dy, operations);
    while let [before @ .., operation] = rest {
        let (gate, before) = match before {
            [before @ .., Operation::Rectify { output, slope }] => (Some(gate(output, *slope)), before),
            _ => (None, before),
        };
        dy = operation.pull(dy, gate);
        rest = before;
    }
    dy
}

/// What a rectifier does to first order.
fn gate(output: &Tensor<4>, slope: f64) -> Gate<4> {
    Gate { rectified: Some(output.clone()), slope }
}
