//! What can be audited: a stack of layers that declare promises.

use std::collections::BTreeMap;

use burn::tensor::{Gradients, Tensor};
use mixlab_core::{Key, Precision};
use mixlab_nn::mixer::Lengths;
use mixlab_nn::{Context, ModelError, Promises, backward_from};

/// A stack of layers whose promises can be executed.
///
/// Layers are counted from 0, as in the paths of their parameters. A layer maps `[batch, n, width]` to the same shape,
/// and the output of one is the input of the next.
pub trait Audited {
    /// What a layer remembers of a sequence that is continued piece by piece.
    type State;

    /// Number of layers.
    fn layers(&self) -> usize;

    /// What a layer is called in a report, such as `block 3 (gmlp)`.
    fn name(&self, layer: usize) -> String;

    /// What a layer declares in one direction.
    fn promises(&self, layer: usize, causal: bool) -> Promises;

    /// The lengths that a layer is defined for in one direction.
    fn lengths(&self, layer: usize, causal: bool) -> Lengths;

    /// Whether the whole stack takes sequences of `length` in one direction.
    ///
    /// # Errors
    /// If it does not; no layer is then run at that length.
    fn check_length(&self, length: usize, causal: bool) -> Result<(), ModelError>;

    /// The precision that the stack computes in.
    fn precision(&self) -> Precision;

    /// What enters the first layer, `[batch, length, width]`: the vectors of random inputs, which are a function of the
    /// key.
    fn input(&self, batch: usize, length: usize, key: Key) -> Tensor<3>;

    /// `[batch, n, width]` through one layer.
    fn forward(&self, layer: usize, x: Tensor<3>, context: &Context) -> Tensor<3>;

    /// What a layer remembers before the first position of `batch` sequences.
    ///
    /// # Errors
    /// If the layer cannot continue a sequence.
    fn state(&self, layer: usize, batch: usize) -> Result<Self::State, ModelError>;

    /// The next positions `[batch, k, width]` of sequences of which `state` has seen the first `context.start`.
    fn step(&self, layer: usize, x: Tensor<3>, state: &mut Self::State, context: &Context) -> Tensor<3>;

    /// The value of one layer and the gradients of `Σ y ⊙ upstream`. `x` and `upstream` are not tracked. Layers with
    /// parameters override this: here only the input has a gradient.
    fn differentiate(
        &self,
        layer: usize,
        x: Tensor<3>,
        upstream: Tensor<3>,
        context: &Context,
    ) -> Differentiated {
        Differentiated::of(x, upstream, |x| self.forward(layer, x, context), |_| BTreeMap::new())
    }
}

/// The value of a layer with its gradients.
#[derive(Clone, Debug)]
pub struct Differentiated {
    /// `[batch, n, width]`.
    pub value: Tensor<3>,
    /// Gradient of the input, of the same shape; absent if the input took no part.
    pub input: Option<Tensor<3>>,
    /// Gradients of the parameters that took part, by path.
    pub parameters: BTreeMap<String, Tensor<1>>,
}

impl Differentiated {
    /// The value of `forward` at `x` and the gradients of `Σ y ⊙ upstream`, of which `parameters` takes its own. `x` and
    /// `upstream` are not tracked.
    pub fn of(
        x: Tensor<3>,
        upstream: Tensor<3>,
        forward: impl FnOnce(Tensor<3>) -> Tensor<3>,
        parameters: impl FnOnce(&mut Gradients) -> BTreeMap<String, Tensor<1>>,
    ) -> Self {
        let x = Tensor::from_inner(x).require_grad();
        let value = forward(x.clone());
        let mut gradients = backward_from(value.clone(), upstream);
        Differentiated {
            value: value.inner(),
            input: x.grad_remove(&mut gradients),
            parameters: parameters(&mut gradients),
        }
    }
}
