//! Layers one after the other.

use burn::module::Module;
use burn::tensor::Tensor;

use super::batch_norm::BatchMoments;
use super::layer::Layer;
use super::tape::Tape;
use crate::Mode;
use crate::dual::Dual;

/// Layers one after the other, `[b, h, w, c]` throughout.
#[derive(Module, Debug)]
pub(crate) struct Sequential {
    layers: Vec<Layer>,
}

impl Sequential {
    pub fn new(layers: Vec<Layer>) -> Self {
        Sequential { layers }
    }

    /// All layers; `moments` gets those of the batch.
    pub fn forward(&self, x: Dual<4>, mode: Mode, moments: &mut Vec<BatchMoments>) -> Dual<4> {
        let (mut y, mut layers) = (x, self.layers.iter().peekable());
        while let Some(layer) = layers.next() {
            let rectified = layers.peek().and_then(|next| next.rectifier()) == Some(0.0);
            y = match layer {
                // A tangent needs to know what was negative.
                Layer::Dense(map) if rectified && y.tangent.is_none() => {
                    layers.next();
                    map.rectified(y.value).into()
                }
                _ => layer.forward(y, mode, moments),
            };
        }
        y
    }

    /// The same, noted down. `path` is that of the network.
    pub fn trace(&self, x: Tensor<4>, path: &str) -> (Tensor<4>, Tape) {
        let (mut y, mut tape) = (x, Tape::default());
        let mut layers = self.layers.iter().enumerate().peekable();
        while let Some((index, layer)) = layers.next() {
            // A rectifier is part of the layer before it.
            let slope = layers.peek().and_then(|(_, next)| next.rectifier());
            if slope.is_some() {
                layers.next();
            }
            y = layer.trace(y, &format!("{path}.layers.{index}"), slope, &mut tape);
        }
        (y, tape)
    }

    /// Whether the network is linear between kinks.
    pub fn is_piecewise_linear(&self) -> bool {
        self.layers.iter().all(Layer::is_piecewise_linear)
    }

    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device, TensorData};
    use mixlab_core::{Key, Precision};

    use super::*;
    use crate::adversarial::layer::hidden;
    use crate::dual::DualActivation;
    use crate::{Builder, InitialisationConfig};

    /// Value and gradient of an input.
    fn evaluate(network: impl Fn(Dual<4>) -> Dual<4>) -> [Vec<f64>; 2] {
        let device = Device::flex().autodiff();
        let values: Vec<f64> = Key::root(2).sample(0).normals().take(5 * 3).collect();
        let x = TensorData::new(values, [5, 1, 1, 3]);
        let x = Tensor::<4>::from_data(x, (&device, DType::F64)).require_grad();
        let y = network(x.clone().into()).value;
        let mut gradients = (y.clone() * y.clone()).sum().backward();
        let gradient = x.grad_remove(&mut gradients).expect("a gradient");
        [y.inner(), gradient].map(|x| x.into_data().iter().collect())
    }

    #[test]
    fn maps_with_their_rectifier_are_both_layers() {
        let device = Device::flex().autodiff();
        let builder = Builder::new(1, &device, Precision::F64, InitialisationConfig::lecun(), 1);
        let network = Sequential::new(hidden(3, 40, 3, (DualActivation::RELU, false), &builder));
        let fused = evaluate(|x| network.forward(x, Mode::Train, &mut Vec::new()));
        let apart = evaluate(|x| {
            network.layers().iter().fold(x, |x, layer| layer.forward(x, Mode::Train, &mut Vec::new()))
        });
        assert!(fused[0].contains(&0.0) && fused[0].iter().any(|&y| y > 0.0), "both sides of a kink");
        for (fused, apart) in fused.iter().zip(&apart) {
            assert_eq!(fused.len(), apart.len());
            for (fused, apart) in fused.iter().zip(apart) {
                assert!((fused - apart).abs() < 1e-12, "{fused} for {apart}");
            }
        }
    }
}
