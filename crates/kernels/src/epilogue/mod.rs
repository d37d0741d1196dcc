//! What follows a map before its numbers leave the cache: a bias with a share for each sample, and a rectifier or its gate.
//!
//! These forms of maps are for values that are differentiated by hand. Nothing enters a graph.

mod cpu;
#[cfg(test)]
mod tests;

use burn::tensor::Tensor;

use crate::cpu::primitive;
use crate::rectifier::{leaky_relu, rectifier_gate};

pub(crate) use cpu::FlexEpilogue;

/// `y ← f(y + a_b·β)`, where b is the sample of a row.
#[derive(Clone, Debug, Default)]
pub struct Epilogue<const D: usize> {
    /// β `[channels]`; absent 0.
    pub bias: Option<Tensor<1>>,
    /// a `[samples]`, by the first axis; absent 1.
    pub shares: Option<Tensor<1>>,
    /// f; absent the identity.
    pub gate: Option<Gate<D>>,
}

/// A rectifier, or what one does to first order: y where a sign is positive, `slope·y` elsewhere.
#[derive(Clone, Debug)]
pub struct Gate<const D: usize> {
    /// What the signs are those of, of the shape of y: the output of a rectifier, as in [`rectifier_gate`]. Absent: y itself, as in
    /// [`leaky_relu`].
    pub rectified: Option<Tensor<D>>,
    /// Not negative.
    pub slope: f64,
}

impl<const D: usize> Gate<D> {
    fn apply(self, y: Tensor<D>) -> Tensor<D> {
        match self.rectified {
            Some(rectified) => rectifier_gate(y, rectified, self.slope),
            None => leaky_relu(y, self.slope),
        }
    }

    /// The same for y of another shape, with its numbers in the same order.
    pub fn reshape<const E: usize>(self, shape: [usize; E]) -> Gate<E> {
        let Gate { rectified, slope } = self;
        Gate { rectified: rectified.map(|rectified| rectified.reshape(shape)), slope }
    }
}

impl<const D: usize> Epilogue<D> {
    /// A gate alone.
    pub fn gate(gate: Option<Gate<D>>) -> Self {
        Epilogue { gate, ..Epilogue::default() }
    }

    /// `f(y + a_b·β)` in operations of their own: the definition, and what follows operations that have no such form.
    pub fn apply(self, y: Tensor<D>) -> Tensor<D> {
        let mut shape = [1; D];
        let mut y = y;
        if let Some(bias) = self.bias {
            shape[D - 1] = bias.dims()[0];
            let bias = bias.reshape(shape);
            shape[D - 1] = 1;
            shape[0] = y.dims()[0];
            y = match self.shares {
                Some(shares) => y + shares.reshape(shape) * bias,
                None => y + bias,
            };
        }
        match self.gate {
            Some(gate) => gate.apply(y),
            None => y,
        }
    }

    /// # Panics
    /// If the operands do not belong to a result of this shape.
    pub(crate) fn check(&self, shape: [usize; D]) {
        let channels = shape[D - 1];
        assert!(
            self.bias.as_ref().is_none_or(|bias| bias.dims() == [channels]),
            "bias of a map to {channels}"
        );
        let shares = self.shares.as_ref();
        assert!(shares.is_none_or(|shares| shares.dims() == [shape[0]]), "one share a sample");
        if let Some(Gate { rectified, slope }) = &self.gate {
            assert!(*slope >= 0.0, "a rectifier does not turn its input around");
            assert!(rectified.as_ref().is_none_or(|signs| signs.dims() == shape), "shapes of a gate");
        }
    }

    /// As the kernels take it.
    pub(crate) fn into_primitives(self) -> FlexEpilogue {
        let gate = self.gate.map(|Gate { rectified, slope }| (rectified.map(primitive), slope));
        FlexEpilogue::new(self.bias.map(primitive), self.shares.map(primitive), gate)
    }
}
