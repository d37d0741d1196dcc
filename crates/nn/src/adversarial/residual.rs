//! Residual blocks of convolutions: one that halves an image, for critics, and one that doubles it, for generators.
//!
//! ```text
//! down   y = pool(conv(f(conv(f(x))))) + pool(conv₁(x))          f leaky; the first block of a critic starts without f
//! up     y = conv(f(BN(conv(2×(f(BN(x))))))) + conv₁(2×x)
//! ```
//!
//! Source: Miyato, Kataoka, Koyama and Yoshida, "Spectral normalization for generative adversarial networks", ICLR 2018, figure 8 and tables
//! 4 to 6.

use burn::module::Module;
use burn::tensor::Tensor;
use mixlab_kernels::ConvolutionWindow;

use super::batch_norm::{BatchMoments, BatchNorm};
use super::config::kaiming;
use super::convolution::{Convolution, POINT, SAME};
use super::layer::{rectified, slope_of};
use super::pooling::{Pool, doubled};
use super::tape::{Operation, Tape};
use crate::dual::{Dual, DualActivation};
use crate::{Builder, Mode};

/// `[b, h, w, in]` to `[b, h/2, w/2, out]`.
#[derive(Module, Debug)]
pub struct ResidualDown {
    first: Convolution,
    second: Convolution,
    shortcut: Convolution,
    #[module(skip)]
    activation: DualActivation,
    #[module(skip)]
    pool: Pool,
    /// Whether the branch starts with the activation: not at the pixels themselves.
    #[module(skip)]
    inner: bool,
}

impl ResidualDown {
    pub(super) fn new(
        [inputs, outputs]: [usize; 2],
        (activation, pool): (DualActivation, Pool),
        inner: bool,
        builder: &Builder,
    ) -> Self {
        ResidualDown {
            first: convolution("first", [inputs, outputs], SAME, builder),
            second: convolution("second", [outputs, outputs], SAME, builder),
            shortcut: convolution("shortcut", [inputs, outputs], POINT, builder),
            activation,
            pool,
            inner,
        }
    }

    pub(super) fn activation(&self) -> DualActivation {
        self.activation
    }

    pub(super) fn forward(&self, x: Dual<4>) -> Dual<4> {
        let start = if self.inner { x.clone().activation(self.activation) } else { x.clone() };
        let hidden = self.first.forward(start).activation(self.activation);
        let branch = self.pool.forward(self.second.forward(hidden));
        branch + self.shortcut.forward(self.pool.forward(x))
    }

    pub(super) fn trace(&self, x: Tensor<4>, path: &str, tape: &mut Tape) -> Tensor<4> {
        let (mut branch, mut shortcut) = (Tape::default(), Tape::default());
        let slope = slope_of(self.activation);
        let start = if self.inner { rectified(x.clone(), slope, &mut branch) } else { x.clone() };
        let hidden = self.first.trace(start, &format!("{path}.first"), Some(slope), &mut branch);
        let y = self.second.trace(hidden, &format!("{path}.second"), None, &mut branch);
        let y = self.pool.trace(y, &mut branch);
        let small = self.pool.trace(x, &mut shortcut);
        let y = y + self.shortcut.trace(small, &format!("{path}.shortcut"), None, &mut shortcut);
        tape.note(Operation::Sum { branch, shortcut });
        y
    }
}

/// `[b, h, w, in]` to `[b, 2h, 2w, out]`.
#[derive(Module, Debug)]
pub struct ResidualUp {
    first_norm: Option<BatchNorm>,
    first: Convolution,
    second_norm: Option<BatchNorm>,
    second: Convolution,
    shortcut: Convolution,
}

impl ResidualUp {
    /// A block, normalised over the batch or not.
    pub(super) fn new([inputs, outputs]: [usize; 2], normalised: bool, builder: &Builder) -> Self {
        let norm = |name: &str, channels| normalised.then(|| BatchNorm::new(channels, &builder.child(name)));
        ResidualUp {
            first_norm: norm("first_norm", inputs),
            first: convolution("first", [inputs, outputs], SAME, builder),
            second_norm: norm("second_norm", outputs),
            second: convolution("second", [outputs, outputs], SAME, builder),
            shortcut: convolution("shortcut", [inputs, outputs], POINT, builder),
        }
    }

    pub(super) fn forward(&self, x: Dual<4>, mode: Mode, moments: &mut Vec<BatchMoments>) -> Dual<4> {
        let mut rectified = |norm: &Option<BatchNorm>, x: Dual<4>| {
            let x = match norm {
                Some(norm) => norm.forward(x, mode, moments),
                None => x,
            };
            x.activation(DualActivation::RELU)
        };
        let start = rectified(&self.first_norm, x.clone());
        let hidden = self.first.forward(start.linear(doubled));
        let hidden = rectified(&self.second_norm, hidden);
        self.second.forward(hidden) + self.shortcut.forward(x).linear(doubled)
    }
}

fn convolution(
    name: &str,
    channels: [usize; 2],
    window: ConvolutionWindow,
    builder: &Builder,
) -> Convolution {
    Convolution::new(channels, window, kaiming(channels[0], window), &builder.child(name))
}
