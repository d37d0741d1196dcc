//! The layers that networks without tokens are made of.

use burn::module::Module;
use burn::tensor::Tensor;
use mixlab_kernels::leaky_relu;

use super::batch_norm::{BatchMoments, BatchNorm};
use super::config::kaiming;
use super::convolution::{Convolution, POINT, TransposedConvolution};
use super::dense::Dense;
use super::pooling::Pool;
use super::residual::{ResidualDown, ResidualUp};
use super::tape::{Operation, Tape};
use crate::dual::{Dual, DualActivation};
use crate::{Builder, Mode};

/// One layer, `[b, h, w, c]` to another such shape.
#[expect(clippy::large_enum_variant, reason = "a network has few of them, and modules are not boxed")]
#[derive(Module, Debug)]
pub(crate) enum Layer {
    /// An affine map of all numbers.
    Dense(Dense),
    /// A convolution.
    Convolution(Convolution),
    /// A convolution that makes an image larger.
    TransposedConvolution(TransposedConvolution),
    /// Two convolutions beside a shortcut, then half the size.
    ResidualDown(ResidualDown),
    /// Twice the size, then two convolutions beside a shortcut.
    ResidualUp(ResidualUp),
    /// Normalisation over the samples of a batch.
    BatchNorm(BatchNorm),
    /// What has no parameters.
    Fixed(Fixed),
}

/// A layer without parameters.
#[derive(Module, Debug)]
pub(crate) struct Fixed {
    #[module(skip)]
    kind: FixedKind,
}

/// What such a layer does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FixedKind {
    /// An element-wise function.
    Activation(DualActivation),
    /// Fewer pixels.
    Pool(Pool),
}

impl Layer {
    /// An element-wise function.
    pub fn activation(kind: DualActivation) -> Self {
        Layer::Fixed(Fixed { kind: FixedKind::Activation(kind) })
    }

    /// Fewer pixels.
    pub fn pool(pool: Pool) -> Self {
        Layer::Fixed(Fixed { kind: FixedKind::Pool(pool) })
    }

    /// The layer; `moments` gets those of the batch, of layers that normalise over it.
    pub fn forward(&self, x: Dual<4>, mode: Mode, moments: &mut Vec<BatchMoments>) -> Dual<4> {
        match self {
            Layer::Dense(layer) => layer.forward(x),
            Layer::Convolution(layer) => layer.forward(x),
            Layer::TransposedConvolution(layer) => layer.forward(x),
            Layer::ResidualDown(layer) => layer.forward(x),
            Layer::ResidualUp(layer) => layer.forward(x, mode, moments),
            Layer::BatchNorm(layer) => layer.forward(x, mode, moments),
            Layer::Fixed(Fixed { kind: FixedKind::Activation(kind) }) => x.activation(*kind),
            Layer::Fixed(Fixed { kind: FixedKind::Pool(pool) }) => pool.forward(x),
        }
    }

    /// The same, noted down, and followed by a rectifier of this slope.
    ///
    /// # Panics
    /// If the layer is not linear between kinks; [`Layer::is_piecewise_linear`] tells.
    pub fn trace(&self, x: Tensor<4>, path: &str, slope: Option<f64>, tape: &mut Tape) -> Tensor<4> {
        let y = match self {
            Layer::Dense(layer) => return layer.trace(x, path, slope, tape),
            Layer::Convolution(layer) => return layer.trace(x, path, slope, tape),
            Layer::ResidualDown(layer) => layer.trace(x, path, tape),
            Layer::Fixed(Fixed { kind: FixedKind::Activation(kind) }) => rectified(x, slope_of(*kind), tape),
            Layer::Fixed(Fixed { kind: FixedKind::Pool(pool) }) => pool.trace(x, tape),
            Layer::TransposedConvolution(_) | Layer::ResidualUp(_) | Layer::BatchNorm(_) => {
                unreachable!("layers of generators are not traced")
            }
        };
        match slope {
            Some(slope) => rectified(y, slope, tape),
            None => y,
        }
    }

    /// The slope of a rectifier.
    pub fn rectifier(&self) -> Option<f64> {
        match self {
            Layer::Fixed(Fixed { kind: FixedKind::Activation(kind) }) => kind.rectifier(),
            _ => None,
        }
    }

    /// Whether a critic of such layers is linear between kinks.
    pub fn is_piecewise_linear(&self) -> bool {
        match self {
            Layer::Dense(_) | Layer::Convolution(_) => true,
            Layer::ResidualDown(layer) => layer.activation().is_piecewise_linear(),
            Layer::Fixed(Fixed { kind: FixedKind::Activation(kind) }) => kind.is_piecewise_linear(),
            Layer::Fixed(Fixed { kind: FixedKind::Pool(_) }) => true,
            Layer::TransposedConvolution(_) | Layer::ResidualUp(_) | Layer::BatchNorm(_) => false,
        }
    }
}

/// Where the layer after these has its parameters.
pub(super) fn after(layers: &[Layer], builder: &Builder) -> Builder {
    builder.child(&format!("layers.{}", layers.len()))
}

/// `depth` hidden layers on all numbers of a sample, normalised over the batch or not.
pub(super) fn hidden(
    inputs: usize,
    width: usize,
    depth: usize,
    (activation, normalised): (DualActivation, bool),
    builder: &Builder,
) -> Vec<Layer> {
    let mut layers = Vec::new();
    for index in 0..depth {
        let fan = if index == 0 { inputs } else { width };
        let map = Dense::new(fan, [1, 1, width], kaiming(fan, POINT), &after(&layers, builder));
        layers.push(Layer::Dense(map));
        activate(&mut layers, width, (activation, normalised), builder);
    }
    layers
}

/// Adds an activation, after a normalisation of the channels or not.
pub(super) fn activate(
    layers: &mut Vec<Layer>,
    channels: usize,
    (activation, normalised): (DualActivation, bool),
    builder: &Builder,
) {
    if normalised {
        layers.push(Layer::BatchNorm(BatchNorm::new(channels, &after(layers, builder))));
    }
    layers.push(Layer::activation(activation));
}

/// max(x, 0) + slope·min(x, 0), noted down.
pub(super) fn rectified(x: Tensor<4>, slope: f64, tape: &mut Tape) -> Tensor<4> {
    let output = leaky_relu(x, slope);
    tape.note(Operation::Rectify { output: output.clone(), slope });
    output
}

/// The slope of the only function that critics that are traced have.
///
/// # Panics
/// For another function.
pub(super) fn slope_of(kind: DualActivation) -> f64 {
    kind.rectifier().unwrap_or_else(|| unreachable!("{kind:?} has no kinks"))
}
