//! What an update means to each block of a model: signal, gradient and movement by depth.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::Tensor;
use mixlab_nn::{Backbone, Context, parameter_values};

use crate::TrainError;
use crate::learner::{Applied, Learner};

/// Prefix of the parameters of a block, before its index.
const BLOCKS: &str = "backbone.blocks.";

/// One number for each block, the first block first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layers {
    /// Root mean square of what the block puts out, before the update.
    pub signal: Vec<f64>,
    /// Norm of the gradient of the block's parameters, before clipping.
    pub gradient: Vec<f64>,
    /// Norm of the change of the block's parameters over their norm; 0 if the update was skipped.
    pub update: Vec<f64>,
}

/// Applies gradients and notes what they and the change are to each block. `signal` is that of the same update.
pub(crate) fn apply_and_note<M: Module>(
    learner: &mut Learner<M>,
    (step, loss, learning_rate): (u64, f64, f64),
    gradients: BTreeMap<String, Tensor<1>>,
    signal: Vec<f64>,
) -> Result<(Applied, Layers), TrainError> {
    let blocks = signal.len();
    let gradient = norms(&gradients, blocks);
    let before = parameter_values(learner.model());
    let applied = learner.apply(step, loss, gradients, learning_rate)?;
    let sizes = norms(&before, blocks);
    let mut changes = parameter_values(learner.model());
    for (path, value) in &mut changes {
        if let Some(before) = before.get(path) {
            *value = value.clone() - before.clone();
        }
    }
    let share = |(change, size): (f64, &f64)| if *size > 0.0 { change / size } else { 0.0 };
    let update = norms(&changes, blocks).into_iter().zip(&sizes).map(share).collect();
    Ok((applied, Layers { signal, gradient, update }))
}

/// Root mean square of the output of each block, for inputs `x` without a graph.
pub(crate) fn signals(backbone: &Backbone, x: Tensor<3>, context: &Context) -> Vec<f64> {
    let mut x = x;
    (0..backbone.blocks().len())
        .map(|block| {
            x = backbone.run(block..block + 1, x.clone(), context);
            x.clone().powi_scalar(2).mean().into_scalar::<f64>().sqrt()
        })
        .collect()
}

/// The norm of all tensors of each block.
fn norms(tensors: &BTreeMap<String, Tensor<1>>, blocks: usize) -> Vec<f64> {
    let mut squares = vec![0.0; blocks];
    for (path, tensor) in tensors {
        let index = path.strip_prefix(BLOCKS).and_then(|rest| rest.split('.').next()?.parse::<usize>().ok());
        if let Some(square) = index.and_then(|index| squares.get_mut(index)) {
            *square += tensor.clone().powi_scalar(2).sum().into_scalar::<f64>();
        }
    }
    squares.into_iter().map(f64::sqrt).collect()
}
