//! One layer at one length, with the activations that reach it, and what experiments do with them.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::{Bool, DType, Tensor, TensorData};
use mixlab_core::Key;
use mixlab_kernels::Mask;
use mixlab_nn::mixer::Lengths;
use mixlab_nn::{Context, Promises};

use super::Audited;
use super::compare::largest;

/// Rows of every batch: two, so that masks and boundaries can differ between samples.
pub(super) const SAMPLES: usize = 2;

/// A layer under experiment.
pub(super) struct Specimen<'a, A> {
    pub stack: &'a A,
    /// The same stack in the precision of the model, if that is another one.
    pub own: Option<&'a A>,
    pub layer: usize,
    pub causal: bool,
    /// Random choices of this length.
    pub key: Key,
    /// What reaches the layer, `[samples, n, width]`.
    pub x: Tensor<3>,
    /// The same with every token replaced by another one of the same size.
    pub other: Tensor<3>,
    /// What the layer makes of `x`, without masks.
    pub y: Tensor<3>,
    /// The largest value of `x` and `y`.
    pub scale: f64,
}

impl<'a, A: Audited> Specimen<'a, A> {
    pub fn new(
        stack: &'a A,
        own: Option<&'a A>,
        causal: bool,
        layer: usize,
        key: Key,
        [x, y]: [Tensor<3>; 2],
    ) -> Self {
        let other = x.clone() + noise(key.site("other"), &x);
        let scale = largest(&x).max(largest(&y));
        Specimen { stack, own, layer, causal, key, x, other, y, scale }
    }

    /// Length of the sequence.
    pub fn length(&self) -> usize {
        self.x.dims()[1]
    }

    pub fn promises(&self) -> Promises {
        self.stack.promises(self.layer, self.causal)
    }

    pub fn lengths(&self) -> Lengths {
        self.stack.lengths(self.layer, self.causal)
    }

    pub fn context(&self, mask: Mask) -> Context {
        Context { mask, ..Context::evaluation(SAMPLES, self.causal) }
    }

    /// The layer with a mask for every sample of `x`.
    pub fn forward(&self, x: Tensor<3>, mask: Mask) -> Tensor<3> {
        let context = Context { mask, ..Context::evaluation(x.dims()[0], self.causal) };
        self.stack.forward(self.layer, x, &context)
    }

    /// `x` with other tokens at some places, given by sample and position.
    pub fn replaced(&self, at: impl Fn(usize, usize) -> bool) -> Tensor<3> {
        let n = self.length();
        let places: Vec<bool> = places(n).map(|(sample, position)| at(sample, position)).collect();
        let places = TensorData::new(places, [SAMPLES, n, 1]);
        let places: Tensor<3, Bool> = Tensor::from_data(places, &self.x.device());
        self.x.clone().mask_where(places.expand(self.x.dims()), self.other.clone())
    }

    /// A few positions from 1 on: the first, the middle, the last, and two at random.
    pub fn positions(&self) -> Vec<usize> {
        let n = self.length();
        if n < 2 {
            return Vec::new();
        }
        let stream = self.key.site("positions").sample(0);
        let random = |element| 1 + stream.below(element, n as u64 - 1) as usize;
        let mut positions = vec![1, n.div_ceil(2), n - 1, random(0), random(1)];
        positions.sort_unstable();
        positions.dedup();
        positions
    }
}

/// Every place of a batch, row by row.
fn places(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..SAMPLES).flat_map(move |sample| (0..n).map(move |position| (sample, position)))
}

/// A mask that shows some places.
pub(super) fn shown(n: usize, real: impl Fn(usize, usize) -> bool) -> Mask {
    let real: Arc<[bool]> = places(n).map(|(sample, position)| real(sample, position)).collect();
    Mask { padding: Some(real), segments: None }
}

/// A mask that gives every place its document.
pub(super) fn documents(n: usize, id: impl Fn(usize, usize) -> u32) -> Mask {
    let ids: Arc<[u32]> = places(n).map(|(sample, position)| id(sample, position)).collect();
    Mask { padding: None, segments: Some(ids) }
}

/// `x[:, range]`.
pub(super) fn rows(x: &Tensor<3>, range: Range<usize>) -> Tensor<3> {
    x.clone().narrow(1, range.start, range.len())
}

/// Normals of about the size of the values of `like`.
pub(super) fn noise(key: Key, like: &Tensor<3>) -> Tensor<3> {
    let stream = key.sample(0);
    let shape = like.dims();
    let square: f64 = like.clone().cast(DType::F64).square().mean().into_scalar::<f64>();
    // Activations that are all zero are disturbed too.
    let size = if square > 0.0 { square.sqrt() } else { 1.0 };
    let values: Vec<f64> = stream.normals().take(shape.iter().product()).map(|x| size * x).collect();
    Tensor::from_data(TensorData::new(values, shape), (&like.device(), like.dtype()))
}
