//! Admin: `y = norm(ω ⊙ x + F(x))`, post-norm whose shortcut outweighs the branch by what earlier branches vary.
//!
//! ω is a learned vector that starts at the square root of 1 plus the variances of all earlier branches, so that a branch's
//! share of the stream falls with depth as in pre-norm. The authors profile the variances in a forward pass on data; here
//! each branch is run by itself on unit noise, which is what the norm before it hands on, so that the first values are a
//! function of config and seed. Source: Liu et al., "Understanding the difficulty of training Transformers", EMNLP 2020,
//! section 4.2.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use mixlab_core::{Key, Precision, Purpose};

use crate::{Builder, Initialiser, Norm};

/// `norm(ω ⊙ x + F(x))`.
#[derive(Module, Debug)]
pub struct Admin {
    norm: Norm,
    /// ω, `[d]`.
    scale: Param<Tensor<1>>,
}

impl Admin {
    pub(super) fn new(norm: Norm, width: usize, initial: f64, builder: &Builder) -> Self {
        Admin { norm, scale: builder.parameter("scale", [width], Initialiser::Constant(initial)) }
    }

    pub(super) fn forward(&self, x: Tensor<3>, branch: impl FnOnce(Tensor<3>) -> Tensor<3>) -> Tensor<3> {
        let output = branch(x.clone());
        self.norm.forward_sum(x * self.scale.val().unsqueeze(), output)
    }
}

/// The variances of the branches made so far, in the order of the stack.
pub struct Profile {
    sum: f64,
    /// `[1, n, d]`.
    shape: [usize; 3],
}

impl Profile {
    /// Of a model of `length` tokens and `width` channels.
    pub fn new(length: usize, width: usize) -> Self {
        Profile { sum: 1.0, shape: [1, length, width] }
    }

    /// The first value of ω of the next sublayer, whose branch is `branch`.
    pub fn next(&mut self, builder: &Builder, branch: impl FnOnce(Tensor<3>) -> Tensor<3>) -> f64 {
        let initial = self.sum.sqrt();
        if builder.draws() {
            let noise = noise(self.shape, builder.path(), builder.device(), builder.precision());
            let output: Vec<f64> = branch(noise).into_data().iter::<f64>().collect();
            let mean = output.iter().sum::<f64>() / output.len() as f64;
            self.sum += output.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / output.len() as f64;
        }
        initial
    }
}

/// Unit normal values, the same for every seed.
fn noise(shape: [usize; 3], site: &str, device: &Device, precision: Precision) -> Tensor<3> {
    let stream = Key::root(0).purpose(Purpose::Init).site(site).site("profile").sample(0);
    let values: Vec<f64> = stream.normals().take(shape.iter().product()).collect();
    Tensor::from_data(TensorData::new(values, shape), (device, precision.dtype()))
}
