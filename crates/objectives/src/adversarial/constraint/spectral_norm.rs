//! Spectral normalisation, `Ŵ = W/σ` with σ = uᵀWv, one step of the power iteration an update.
//!
//! u is kept from update to update, and u and v are constants for the gradient: with G = ∂L/∂Ŵ,
//!
//! ```text
//! v ← Wᵀu/(‖Wᵀu‖ + ε),   u ← Wv/(‖Wv‖ + ε),   σ = uᵀWv          ∂L/∂W = (G − ⟨G, Ŵ⟩·u·vᵀ)/σ
//! ```
//!
//! A convolution is normalised as the matrix `[out, in·h·w]`, whose norm differs from that of the map by up to the root of h·w: the critic is
//! not exactly 1-Lipschitz. Source: Miyato et al., ICLR 2018, algorithm 1 and equation 12.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use mixlab_core::{Key, Precision};
use mixlab_nn::{NamedParameter, named_parameters, with_parameters};

use crate::ByPath;

/// Keeps quotients of vanishing weights finite.
const EPSILON: f64 = 1e-12;

/// The vectors u of all matrices of a critic, by path.
#[derive(Clone, Debug)]
pub struct SpectralNorm {
    shapes: BTreeMap<String, Vec<usize>>,
    vectors: BTreeMap<String, Tensor<1>>,
}

/// One matrix that was normalised.
struct Normal {
    weight: Tensor<2>,
    left: Tensor<2>,
    right: Tensor<2>,
    sigma: f64,
}

/// What was divided by what, for gradients.
pub struct Divided(BTreeMap<String, Normal>);

impl SpectralNorm {
    /// Starts with keyed directions for every parameter of at least two axes.
    pub fn new<M: Module>(critic: &M, key: Key, device: &Device, precision: Precision) -> Self {
        let matrices = |parameter: &NamedParameter| parameter.shape.len() >= 2;
        let (mut shapes, mut vectors) = (BTreeMap::new(), BTreeMap::new());
        for NamedParameter { path, shape, .. } in named_parameters(critic).into_iter().filter(matrices) {
            let stream = key.site(&path).sample(0);
            let drawn: Vec<f64> = stream.normals().take(shape[0]).collect();
            let norm = drawn.iter().map(|x| x * x).sum::<f64>().sqrt().max(EPSILON);
            let unit: Vec<f64> = drawn.iter().map(|x| x / norm).collect();
            vectors.insert(path.clone(), super::super::numbers::vector(&unit, device, precision.dtype()));
            shapes.insert(path, shape);
        }
        SpectralNorm { shapes, vectors }
    }

    /// The vectors, for a checkpoint.
    pub fn vectors(&self) -> &BTreeMap<String, Tensor<1>> {
        &self.vectors
    }

    /// Goes on from a checkpoint.
    pub fn restore(&mut self, vectors: BTreeMap<String, Tensor<1>>) {
        self.vectors = vectors;
    }

    /// The critic with its matrices divided. In training each u makes a step first.
    pub fn normalised<M: Module>(
        &mut self,
        critic: &M,
        values: BTreeMap<String, Tensor<1>>,
        training: bool,
    ) -> (M, Divided) {
        let (mut divided, mut all) = (BTreeMap::new(), values);
        for (path, shape) in &self.shapes {
            let Some(value) = all.remove(path) else { continue };
            let rows = shape[0];
            let weight = value.reshape([rows as i32, -1]);
            let left = self.vectors[path].clone().reshape([rows, 1]);
            let right = unit(weight.clone().transpose().matmul(left.clone()));
            let image = weight.clone().matmul(right.clone());
            let left = if training { unit(image.clone()) } else { left };
            let sigma = (left.clone() * image).sum().into_scalar::<f64>();
            let sigma = if sigma.abs() < EPSILON { EPSILON } else { sigma };
            let weight = weight.div_scalar(sigma);
            all.insert(path.clone(), weight.clone().flatten(0, 1));
            if training {
                self.vectors.insert(path.clone(), left.clone().flatten(0, 1));
            }
            divided.insert(path.clone(), Normal { weight, left, right, sigma });
        }
        (with_parameters(critic.clone(), all), Divided(divided))
    }
}

impl Divided {
    /// Gradients of the weights from those of the divided ones.
    pub fn gradients(&self, gradients: ByPath) -> ByPath {
        let back = |(path, gradient): (String, Tensor<1>)| {
            let Some(Normal { weight, left, right, sigma }) = self.0.get(&path) else {
                return (path, gradient);
            };
            let gradient = gradient.reshape(weight.dims());
            let along = (gradient.clone() * weight.clone()).sum().into_scalar::<f64>();
            let outer = left.clone().matmul(right.clone().transpose());
            let gradient = (gradient - outer.mul_scalar(along)).div_scalar(*sigma);
            (path, gradient.flatten(0, 1))
        };
        gradients.into_iter().map(back).collect()
    }

    /// σ of every matrix.
    pub fn sigmas(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(path, normal)| (path.as_str(), normal.sigma))
    }
}

fn unit(x: Tensor<2>) -> Tensor<2> {
    let norm = (x.clone() * x.clone()).sum().into_scalar::<f64>().sqrt();
    x.div_scalar(norm + EPSILON)
}
