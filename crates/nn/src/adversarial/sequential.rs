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
        self.layers.iter().fold(x, |x, layer| layer.forward(x, mode, moments))
    }

    /// The same, noted down. `path` is that of the network.
    pub fn trace(&self, x: Tensor<4>, path: &str) -> (Tensor<4>, Tape) {
        let mut tape = Tape::default();
        let trace =
            |x, (index, layer): (usize, &Layer)| layer.trace(x, &format!("{path}.layers.{index}"), &mut tape);
        let y = self.layers.iter().enumerate().fold(x, trace);
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
