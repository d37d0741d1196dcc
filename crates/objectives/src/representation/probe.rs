//! Linear probe: what a linear classifier reads off embeddings that are not trained further.

use burn::tensor::activation::softmax;
use burn::tensor::{Tensor, TensorData};
use mixlab_core::{Key, Purpose};

/// Deviation below which a channel is taken for a constant that was rounded.
const CONSTANT: f64 = 1e-7;

/// How a probe is fitted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProbeOptions {
    /// Weight λ of the penalty, in rows: the mean loss has λ/(2n)·‖W‖² added.
    pub penalty: f64,
    /// Most steps.
    pub steps: usize,
    /// Greatest gradient component at which the fit ends.
    pub tolerance: f64,
}

impl Default for ProbeOptions {
    fn default() -> Self {
        ProbeOptions { penalty: 1.0, steps: 500, tolerance: 1e-5 }
    }
}

/// Multinomial logistic regression on standardised channels.
///
/// The mean of `−log softmax(z·W + b)_y` over n rows plus `λ/(2n)·‖W‖²`, where z are channels with the mean 0 and the
/// variance 1 on the rows it is fitted to. The objective is strictly convex in W, so that the fit has one result, whatever the
/// order of the rows.
#[derive(Clone, Debug)]
pub struct LinearProbe {
    /// `[1, d]`, what channels are moved by and multiplied with.
    mean: Tensor<2>,
    inverse_deviation: Tensor<2>,
    /// `[d, classes]`.
    weight: Tensor<2>,
    /// `[1, classes]`.
    bias: Tensor<2>,
    /// Greatest component of the gradient at the end.
    residual: f64,
}

impl LinearProbe {
    /// Fits a probe to rows `[n, d]` with classes below `classes`, by gradient steps with Nesterov's momentum that starts over
    /// whenever a step would lead uphill (O'Donoghue and Candès, "Adaptive restart for accelerated gradient schemes", 2012,
    /// section 3.2).
    ///
    /// # Panics
    /// If there is not one label below `classes` for each row.
    pub fn fit(rows: &Tensor<2>, labels: &[u32], classes: usize, options: ProbeOptions) -> Self {
        let [n, width] = rows.dims();
        assert_eq!(n, labels.len(), "a label for each row");
        assert!(labels.iter().all(|&label| (label as usize) < classes), "labels below {classes}");
        let mean = rows.clone().mean_dim(0);
        let centred = rows.clone() - mean.clone();
        let variance = centred.clone().powi_scalar(2).mean_dim(0);
        let deviation = variance.sqrt();
        // A channel that never changes says nothing.
        let constant = deviation.clone().lower_elem(CONSTANT);
        let inverse_deviation = deviation.recip().mask_fill(constant, 0.0);
        let x = centred * inverse_deviation.clone();
        let device = rows.device();
        let options_of = (&device, rows.dtype());
        let mut one_hot = vec![0.0f64; n * classes];
        labels.iter().enumerate().for_each(|(row, &label)| one_hot[row * classes + label as usize] = 1.0);
        let targets = Tensor::from_data(TensorData::new(one_hot, [n, classes]), options_of);
        let mut probe = LinearProbe {
            mean,
            inverse_deviation,
            weight: Tensor::zeros([width, classes], options_of),
            bias: Tensor::zeros([1, classes], options_of),
            residual: f64::INFINITY,
        };
        probe.descend(&x, &targets, options);
        probe
    }

    fn descend(&mut self, x: &Tensor<2>, targets: &Tensor<2>, options: ProbeOptions) {
        let rows = x.dims()[0].max(1) as f64;
        let penalty = options.penalty / rows;
        // The second derivative of the softmax loss is at most ½ in each direction of the logits.
        let step = 1.0 / (0.5 * (greatest_eigenvalue(x) + 1.0) + penalty);
        let (mut ahead_weight, mut ahead_bias) = (self.weight.clone(), self.bias.clone());
        let mut momentum = 1.0f64;
        for _ in 0..options.steps {
            let logits = x.clone().matmul(ahead_weight.clone()) + ahead_bias.clone();
            let error = (softmax(logits, 1) - targets.clone()) / rows;
            let by_weight = x.clone().transpose().matmul(error.clone()) + ahead_weight.clone() * penalty;
            let by_bias = error.sum_dim(0);
            self.residual = largest(&by_weight).max(largest(&by_bias));
            let weight = ahead_weight.clone() - by_weight.clone() * step;
            let bias = ahead_bias.clone() - by_bias.clone() * step;
            let moved = (weight.clone() - self.weight.clone(), bias.clone() - self.bias.clone());
            let uphill = (by_weight * moved.0.clone()).sum().into_scalar::<f64>()
                + (by_bias * moved.1.clone()).sum().into_scalar::<f64>();
            let next =
                if uphill > 0.0 { 1.0 } else { (1.0 + (1.0 + 4.0 * momentum * momentum).sqrt()) / 2.0 };
            let share = if uphill > 0.0 { 0.0 } else { (momentum - 1.0) / next };
            ahead_weight = weight.clone() + moved.0 * share;
            ahead_bias = bias.clone() + moved.1 * share;
            (self.weight, self.bias, momentum) = (weight, bias, next);
            if self.residual < options.tolerance {
                return;
            }
        }
    }

    /// The class of every row `[n, d]`.
    pub fn classes(&self, rows: &Tensor<2>) -> Vec<u32> {
        let x = (rows.clone() - self.mean.clone()) * self.inverse_deviation.clone();
        let logits = x.matmul(self.weight.clone()) + self.bias.clone();
        logits.argmax(1).into_data().iter::<i64>().map(|class| class as u32).collect()
    }

    /// Share of rows whose class is told right.
    pub fn accuracy(&self, rows: &Tensor<2>, labels: &[u32]) -> f64 {
        let right = self.classes(rows).iter().zip(labels).filter(|(found, label)| found == label).count();
        right as f64 / labels.len().max(1) as f64
    }

    /// The greatest component of the gradient where the fit ended.
    pub fn residual(&self) -> f64 {
        self.residual
    }
}

fn largest(x: &Tensor<2>) -> f64 {
    x.clone().abs().max().into_scalar::<f64>()
}

/// Steps of the power method. Its value is from below, and is raised a little.
const POWER_STEPS: usize = 30;
const RAISED: f64 = 1.1;

/// About the greatest eigenvalue of `xᵀx/n`, not below it by much.
fn greatest_eigenvalue(x: &Tensor<2>) -> f64 {
    let [rows, width] = x.dims();
    // Of no particular direction, lest it be at right angles to the one that is sought.
    let stream = Key::root(0).purpose(Purpose::Synthetic).sample(0);
    let start: Vec<f64> = stream.normals().take(width).collect();
    let mut direction: Tensor<2> =
        Tensor::from_data(TensorData::new(start, [width, 1]), (&x.device(), x.dtype()));
    let mut found = 0.0;
    for _ in 0..POWER_STEPS {
        let image = x.clone().transpose().matmul(x.clone().matmul(direction)) / rows.max(1) as f64;
        found = image.clone().powi_scalar(2).sum().sqrt().into_scalar::<f64>();
        if found == 0.0 {
            break;
        }
        direction = image / found;
    }
    RAISED * found
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{DType, Device};

    fn matrix(values: Vec<f64>, shape: [usize; 2]) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values, shape), (&Device::flex(), DType::F64))
    }

    /// Three clouds of points whose channels differ in size.
    fn clouds(rows: usize, seed: u64) -> (Tensor<2>, Vec<u32>) {
        let stream = Key::root(seed).purpose(Purpose::Synthetic).sample(0);
        let labels: Vec<u32> = (0..rows as u32).map(|row| row % 3).collect();
        let point = |row: usize| {
            let noise = [0, 1, 2].map(|channel| stream.normal((3 * row + channel) as u64));
            let label = labels[row] as f64;
            [label + 0.4 * noise[0], 100.0 * ((label - 1.0).abs() + 0.4 * noise[1]), noise[2]]
        };
        (matrix((0..rows).flat_map(point).collect(), [rows, 3]), labels)
    }

    #[test]
    fn the_fit_is_the_minimum_and_tells_clouds_apart() {
        let (rows, labels) = clouds(300, 1);
        let options = ProbeOptions { tolerance: 1e-9, steps: 5000, ..ProbeOptions::default() };
        let probe = LinearProbe::fit(&rows, &labels, 3, options);
        assert!(probe.residual() < 1e-9, "{}", probe.residual());
        let (others, classes) = clouds(300, 2);
        assert!(probe.accuracy(&others, &classes) > 0.85, "{}", probe.accuracy(&others, &classes));
        // The order of the rows and the units of the channels make no difference.
        let turned = rows.clone().flip([0]) * matrix(vec![1e3, 1e-3, 7.0], [1, 3]);
        let reversed: Vec<u32> = labels.iter().rev().copied().collect();
        let other = LinearProbe::fit(&turned, &reversed, 3, options);
        assert!(largest(&(other.weight - probe.weight)) < 1e-6);
    }

    #[test]
    fn what_cannot_be_told_apart_gets_no_weight() {
        let rows = matrix([1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0].into(), [4, 2]);
        let probe = LinearProbe::fit(&rows, &[0, 1, 0, 0], 2, ProbeOptions::default());
        assert_eq!(largest(&probe.weight), 0.0);
        assert_eq!(probe.classes(&rows), [0; 4]);
    }
}
