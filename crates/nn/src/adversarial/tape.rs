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

use burn::tensor::{Int, Tensor};
use mixlab_kernels::{
    Activation, ConvolutionWindow, image_convolution, image_convolution_weights, linear, rectifier_gate,
    transposed_image_convolution,
};

use super::dense::flat;
use super::pooling::{average, doubled, mean, picked, placed};

/// Gradients by the path of their parameter, as vectors.
pub type ByPath = std::collections::BTreeMap<String, Tensor<1>>;

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

/// An affine map with an input and an adjoint of rank `D`.
#[derive(Clone, Debug)]
pub(super) struct Affine<const D: usize> {
    path: String,
    weight: Tensor<2>,
    bias: Tensor<1>,
    input: Tensor<D>,
    /// ∂f/∂z of every sample; after [`Tape::pull`].
    adjoint: Option<Tensor<D>>,
}

impl<const D: usize> Affine<D> {
    fn new(path: &str, weight: Tensor<2>, bias: Tensor<1>, input: Tensor<D>) -> Self {
        Affine { path: path.to_owned(), weight, bias, input, adjoint: None }
    }

    fn adjoint(&self) -> Tensor<D> {
        self.adjoint.clone().expect("adjoints come before gradients")
    }

    /// The adjoint times a, unless [`Tape::pull`] made it from a.
    fn weighed(&self, weights: Option<&Tensor<4>>) -> Tensor<D> {
        let adjoint = self.adjoint();
        let Some(weights) = weights else { return adjoint };
        let mut shape = [1; D];
        shape[0] = adjoint.dims()[0];
        adjoint * weights.clone().reshape(shape)
    }
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

    /// The adjoint of the input.
    fn pull(&mut self, dy: Tensor<4>) -> Tensor<4> {
        match self {
            Operation::Dense(map, [shape, _]) => {
                let dy = flat(dy);
                let dx = linear(dy.clone(), map.weight.clone().transpose(), None, Activation::Identity);
                map.adjoint = Some(dy);
                dx.reshape(*shape)
            }
            Operation::Convolution(map, window) => {
                map.adjoint = Some(dy.clone());
                let [_, height, width, _] = map.input.dims();
                transposed_image_convolution(dy, map.weight.clone(), None, *window, [height, width])
            }
            Operation::Rectify { output, slope } => rectifier_gate(dy, output.clone(), *slope),
            Operation::Average => doubled(dy).mul_scalar(0.25),
            Operation::Mean { shape } => {
                let pixels = shape[1] * shape[2];
                dy.mul_scalar(1.0 / pixels as f64).expand(*shape)
            }
            Operation::Largest { places } => placed(dy, places.clone()),
            Operation::Sum { branch, shortcut } => branch.pull(dy.clone()) + shortcut.pull(dy),
        }
    }

    /// Replaced values h̃ of the output, from those of the input; `weights` `[b, 1, 1, 1]` are a.
    fn push(&self, h: Tensor<4>, weights: &Tensor<4>, gradients: &mut ByPath) -> Tensor<4> {
        match self {
            Operation::Dense(map, [_, shape]) => {
                let h = flat(h);
                map.add_dense(h.clone(), Some(weights), gradients);
                let z = linear(h, map.weight.clone(), None, Activation::Identity);
                let batch = shape[0];
                let bias = weights.clone().reshape([batch, 1]) * map.bias.clone().unsqueeze::<2>();
                (z + bias).reshape(*shape)
            }
            Operation::Convolution(map, window) => {
                map.add_convolution(h.clone(), *window, Some(weights), gradients);
                let z = image_convolution(h, map.weight.clone(), None, *window);
                let channels = map.bias.dims()[0];
                z + weights.clone() * map.bias.clone().reshape([1, 1, 1, channels])
            }
            Operation::Rectify { output, slope } => rectifier_gate(h, output.clone(), *slope),
            Operation::Average => average(h),
            Operation::Mean { .. } => mean(h),
            Operation::Largest { places } => picked(h, places.clone()),
            Operation::Sum { branch, shortcut } => {
                branch.push(h.clone(), weights, gradients) + shortcut.push(h, weights, gradients)
            }
        }
    }

    /// Gradients of Σ_b a_b·f(x_b) alone, whose a is in the adjoints already.
    fn weigh(&self, gradients: &mut ByPath) {
        match self {
            Operation::Dense(map, _) => map.add_dense(map.input.clone(), None, gradients),
            Operation::Convolution(map, window) => {
                map.add_convolution(map.input.clone(), *window, None, gradients);
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

impl Affine<2> {
    /// Adds its gradients from the replaced input.
    fn add_dense(&self, h: Tensor<2>, weights: Option<&Tensor<4>>, gradients: &mut ByPath) {
        let adjoint = self.adjoint();
        let rows = self.weighed(weights);
        enter(gradients, &self.path, "weight", h.transpose().matmul(adjoint).flatten(0, 1));
        enter(gradients, &self.path, "bias", rows.sum_dim(0).flatten(0, 1));
    }
}

impl Affine<4> {
    /// The same of a convolution.
    fn add_convolution(
        &self,
        h: Tensor<4>,
        window: ConvolutionWindow,
        weights: Option<&Tensor<4>>,
        gradients: &mut ByPath,
    ) {
        let adjoint = self.adjoint();
        let [batch, height, width, channels] = adjoint.dims();
        let rows: Tensor<2> = self.weighed(weights).reshape([batch * height * width, channels]);
        let weight = image_convolution_weights(h, adjoint, window);
        enter(gradients, &self.path, "weight", weight.flatten(0, 1));
        enter(gradients, &self.path, "bias", rows.sum_dim(0).flatten(0, 1));
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

    /// Adjoints of everything, from that of the output; gives the adjoint of the input. With ones for a scalar output that is ∇ₓf of every
    /// sample.
    pub fn pull(&mut self, dy: Tensor<4>) -> Tensor<4> {
        self.operations.iter_mut().rev().fold(dy, |dy, operation| operation.pull(dy))
    }

    /// The same without the adjoint of the input, for parameter gradients alone.
    pub fn pull_to_parameters(&mut self, dy: Tensor<4>) {
        let Some((first, rest)) = self.operations.split_first_mut() else { return };
        first.meet(rest.iter_mut().rev().fold(dy, |dy, operation| operation.pull(dy)));
    }

    /// Adds the gradient of Σ_b a_b·f(x_b) + c_b·D_{u_b}f(x_b), with adjoints that [`Tape::pull`] made from ones. `h` is a·x + c·u and
    /// `weights` `[b, 1, 1, 1]` are a. Gives Σ's terms.
    ///
    /// # Panics
    /// Before [`Tape::pull`].
    pub fn push(&self, h: Tensor<4>, weights: &Tensor<4>, gradients: &mut ByPath) -> Tensor<4> {
        self.operations.iter().fold(h, |h, operation| operation.push(h, weights, gradients))
    }

    /// Adds the gradient of Σ_b a_b·f(x_b), with adjoints that [`Tape::pull`] or [`Tape::pull_to_parameters`] made from a.
    ///
    /// # Panics
    /// Before [`Tape::pull`].
    pub fn weigh(&self, gradients: &mut ByPath) {
        self.operations.iter().for_each(|operation| operation.weigh(gradients));
    }
}

fn enter(gradients: &mut ByPath, path: &str, name: &str, gradient: Tensor<1>) {
    crate::add_gradients(gradients, [(format!("{path}.{name}"), gradient)]);
}
