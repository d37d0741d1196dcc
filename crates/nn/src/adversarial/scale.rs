//! A critic divided by a number, exactly, by way of its weights.
//!
//! A network of affine maps and leaky activations is homogeneous: with every W_l divided by s and every β_l by s^l, f becomes f/s^L. Normalised
//! critics f/(‖∇f‖ + |f|) are the same for all s > 0, and nothing in their loss keeps weights from growing; dividing keeps numbers in range.

use std::collections::BTreeMap;

use burn::tensor::Tensor;

use super::critic::CriticNetwork;
use super::layer::Layer;
use super::{Critic, Sequential};

impl Critic {
    /// Exponents of s by the path of each parameter, and L, if the critic is homogeneous.
    fn degrees(&self) -> Option<(BTreeMap<String, u32>, u32)> {
        match self.network() {
            CriticNetwork::Sequential(network) if network.is_piecewise_linear() => Some(degrees(network)),
            CriticNetwork::Sequential(_) | CriticNetwork::Patches(_) => None,
        }
    }

    /// `values` of all parameters such that f becomes f/`divisor`; absent if the critic is not homogeneous.
    ///
    /// # Panics
    /// If the divisor is not positive.
    pub fn divided(
        &self,
        values: BTreeMap<String, Tensor<1>>,
        divisor: f64,
    ) -> Option<BTreeMap<String, Tensor<1>>> {
        assert!(divisor > 0.0, "a critic is divided by a positive number");
        let (degrees, layers) = self.degrees()?;
        let step = divisor.powf(-1.0 / f64::from(layers));
        let scaled = |(path, value): (String, Tensor<1>)| {
            let factor = step.powi(degrees[&path] as i32);
            (path, value.mul_scalar(factor))
        };
        Some(values.into_iter().map(scaled).collect())
    }
}

fn degrees(network: &Sequential) -> (BTreeMap<String, u32>, u32) {
    let (mut degrees, mut layers) = (BTreeMap::new(), 0);
    for (index, layer) in network.layers().iter().enumerate() {
        let mut enter = |part: &str, weight: u32, bias: u32| {
            degrees.insert(format!("network.layers.{index}{part}.weight"), weight);
            degrees.insert(format!("network.layers.{index}{part}.bias"), bias);
        };
        match layer {
            Layer::Dense(_) | Layer::Convolution(_) => {
                layers += 1;
                enter("", 1, layers);
            }
            // Two maps in the branch, and one in the shortcut that has to shrink as much.
            Layer::ResidualDown(_) => {
                enter(".first", 1, layers + 1);
                enter(".second", 1, layers + 2);
                enter(".shortcut", 2, layers + 2);
                layers += 2;
            }
            Layer::TransposedConvolution(_)
            | Layer::ResidualUp(_)
            | Layer::BatchNorm(_)
            | Layer::Fixed(_) => {}
        }
    }
    (degrees, layers)
}
