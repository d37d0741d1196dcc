//! The updates as one loop over memory.

use burn::tensor::{DType, Shape};
use burn_flex::FlexTensor;
use rayon::prelude::*;

use super::{AdaptiveMoments, Coefficients, UpdateRule};
use crate::flex::{Dense, output, tensor};
use crate::real::Real;

/// Elements a task works on. It does not depend on the number of threads, so neither do the sums.
const BLOCK: usize = 1 << 14;

/// Runs the function for the tensor's type.
macro_rules! for_type {
    ($dtype:expr, $function:ident ( $($argument:expr),* )) => {
        match $dtype {
            DType::F32 => $function::<f32>($($argument),*),
            DType::F64 => $function::<f64>($($argument),*),
            other => panic!("parameters are f32 or f64, not {other:?}"),
        }
    };
}

pub(super) fn adaptive_update(
    tensors: [FlexTensor; 4],
    coefficients: Coefficients,
) -> (FlexTensor, FlexTensor, FlexTensor) {
    for_type!(tensors[0].dtype(), adaptive(tensors, coefficients))
}

pub(super) fn momentum_update(
    tensors: [FlexTensor; 3],
    coefficients: Coefficients,
) -> (FlexTensor, FlexTensor) {
    for_type!(tensors[0].dtype(), momentum(tensors, coefficients))
}

pub(super) fn plain_update(
    parameter: FlexTensor,
    gradient: FlexTensor,
    coefficients: Coefficients,
) -> FlexTensor {
    for_type!(parameter.dtype(), plain(parameter, gradient, coefficients))
}

pub(super) fn sum_of_squares(x: FlexTensor) -> FlexTensor {
    for_type!(x.dtype(), squares(x))
}

fn adaptive<T: Real>(
    tensors: [FlexTensor; 4],
    coefficients: Coefficients,
) -> (FlexTensor, FlexTensor, FlexTensor) {
    let rule = coefficients.step.rule;
    let (UpdateRule::AdamW(moments) | UpdateRule::Lamb(moments)) = rule else {
        unreachable!("only rules with two moments are updated here")
    };
    let shape = tensors[0].layout().shape().clone();
    let [parameter, gradient, first, second] = tensors.map(Dense::new);
    let (p, g) = (parameter.values::<T>(), gradient.values::<T>());
    let (m, v) = (first.values::<T>(), second.values::<T>());
    let constants = Constants::<T>::new(&coefficients, &moments);
    let mut new_p = output::<T>(p.len());
    let (mut new_m, mut new_v) = (output::<T>(p.len()), output::<T>(p.len()));
    new_p
        .par_chunks_mut(BLOCK)
        .zip(new_m.par_chunks_mut(BLOCK).zip(new_v.par_chunks_mut(BLOCK)))
        .enumerate()
        .for_each(|(block, (new_p, (new_m, new_v)))| {
            let at = block * BLOCK..block * BLOCK + new_p.len();
            let inputs = [&p[at.clone()], &g[at.clone()], &m[at.clone()], &v[at]];
            match rule {
                UpdateRule::Lamb(_) => constants.lamb_direction(inputs, [new_p, new_m, new_v]),
                UpdateRule::AdamW(_) | UpdateRule::Sgd { .. } => {
                    constants.adamw(inputs, [new_p, new_m, new_v])
                }
            }
        });
    if matches!(rule, UpdateRule::Lamb(_)) {
        apply_direction(&mut new_p, p, coefficients.step.learning_rate);
    }
    (tensor(new_p, shape.clone()), tensor(new_m, shape.clone()), tensor(new_v, shape))
}

/// Turns LAMB's direction u in `new_p` into the new parameter `p − λ·(‖p‖/‖u‖)·u`.
fn apply_direction<T: Real>(new_p: &mut [T], p: &[T], learning_rate: f64) {
    let (size, length) = (sum_squares(p).sqrt(), sum_squares(new_p).sqrt());
    let ratio = if size > 0.0 && length > 0.0 { size / length } else { 1.0 };
    let rate = T::from_f64(learning_rate * ratio);
    new_p.par_chunks_mut(BLOCK).zip(p.par_chunks(BLOCK)).for_each(|(new_p, p)| {
        for (u, &p) in new_p.iter_mut().zip(p) {
            *u = p - rate * *u;
        }
    });
}

/// The numbers of an adaptive update that are the same for every element.
struct Constants<T> {
    gradient_scale: T,
    beta1: T,
    rest1: T,
    beta2: T,
    rest2: T,
    correct1: T,
    correct2: T,
    epsilon: T,
    rate: T,
    keep: T,
    decay: T,
}

impl<T: Real> Constants<T> {
    fn new(coefficients: &Coefficients, moments: &AdaptiveMoments) -> Self {
        let (correct1, correct2) = coefficients.corrections(moments);
        let step = &coefficients.step;
        let real = T::from_f64;
        Constants {
            gradient_scale: real(step.gradient_scale),
            beta1: real(moments.beta1),
            rest1: real(1.0 - moments.beta1),
            beta2: real(moments.beta2),
            rest2: real(1.0 - moments.beta2),
            correct1: real(correct1),
            correct2: real(correct2),
            epsilon: real(moments.epsilon),
            rate: real(step.learning_rate),
            keep: real(1.0 - step.learning_rate * coefficients.weight_decay),
            decay: real(coefficients.weight_decay),
        }
    }

    /// New moments and the direction m̂ / (sqrt(v̂) + ε) of one element.
    #[inline(always)]
    fn moments(&self, g: T, m: T, v: T) -> (T, T, T) {
        let g = self.gradient_scale * g;
        let m = self.beta1 * m + self.rest1 * g;
        let v = self.beta2 * v + self.rest2 * (g * g);
        let direction = (self.correct1 * m) / ((self.correct2 * v).sqrt() + self.epsilon);
        (m, v, direction)
    }

    #[inline(always)]
    fn each(&self, [p, g, m, v]: [&[T]; 4], [np, nm, nv]: [&mut [T]; 3], combine: impl Fn(T, T) -> T) {
        let count = np.len();
        let (p, g, m, v) = (&p[..count], &g[..count], &m[..count], &v[..count]);
        let (nm, nv) = (&mut nm[..count], &mut nv[..count]);
        for i in 0..count {
            let (new_m, new_v, direction) = self.moments(g[i], m[i], v[i]);
            nm[i] = new_m;
            nv[i] = new_v;
            np[i] = combine(p[i], direction);
        }
    }

    fn adamw(&self, inputs: [&[T]; 4], outputs: [&mut [T]; 3]) {
        self.each(inputs, outputs, |p, direction| self.keep * p - self.rate * direction);
    }

    fn lamb_direction(&self, inputs: [&[T]; 4], outputs: [&mut [T]; 3]) {
        self.each(inputs, outputs, |p, direction| direction + self.decay * p);
    }
}

fn momentum<T: Real>(tensors: [FlexTensor; 3], coefficients: Coefficients) -> (FlexTensor, FlexTensor) {
    let UpdateRule::Sgd { momentum, nesterov } = coefficients.step.rule else {
        unreachable!("only SGD keeps a velocity")
    };
    let shape = tensors[0].layout().shape().clone();
    let [parameter, gradient, velocity] = tensors.map(Dense::new);
    let (p, g, b) = (parameter.values::<T>(), gradient.values::<T>(), velocity.values::<T>());
    let (scale, decay) =
        (T::from_f64(coefficients.step.gradient_scale), T::from_f64(coefficients.weight_decay));
    let rate = T::from_f64(coefficients.step.learning_rate);
    // The first velocity is the gradient itself, whatever the stored vector holds.
    let carry = T::from_f64(if coefficients.step.step == 1 { 0.0 } else { momentum });
    let ahead = T::from_f64(momentum);
    let (mut new_p, mut new_b) = (output::<T>(p.len()), output::<T>(p.len()));
    new_p.par_chunks_mut(BLOCK).zip(new_b.par_chunks_mut(BLOCK)).enumerate().for_each(
        |(block, (new_p, new_b))| {
            let start = block * BLOCK;
            for i in 0..new_p.len() {
                let gradient = scale * g[start + i] + decay * p[start + i];
                let velocity = carry * b[start + i] + gradient;
                new_b[i] = velocity;
                new_p[i] =
                    p[start + i] - rate * if nesterov { gradient + ahead * velocity } else { velocity };
            }
        },
    );
    (tensor(new_p, shape.clone()), tensor(new_b, shape))
}

fn plain<T: Real>(parameter: FlexTensor, gradient: FlexTensor, coefficients: Coefficients) -> FlexTensor {
    let shape = parameter.layout().shape().clone();
    let (parameter, gradient) = (Dense::new(parameter), Dense::new(gradient));
    let (p, g) = (parameter.values::<T>(), gradient.values::<T>());
    let (scale, decay) =
        (T::from_f64(coefficients.step.gradient_scale), T::from_f64(coefficients.weight_decay));
    let rate = T::from_f64(coefficients.step.learning_rate);
    let mut new_p = output::<T>(p.len());
    new_p.par_chunks_mut(BLOCK).enumerate().for_each(|(block, new_p)| {
        let start = block * BLOCK;
        for (i, new) in new_p.iter_mut().enumerate() {
            *new = p[start + i] - rate * (scale * g[start + i] + decay * p[start + i]);
        }
    });
    tensor(new_p, shape)
}

fn squares<T: Real>(x: FlexTensor) -> FlexTensor {
    let sum = sum_squares(Dense::new(x).values::<T>());
    tensor(vec![T::from_f64(sum)], Shape::from([1]))
}

/// Σ x² in f64: eight interleaved sums a block, then the blocks in order.
fn sum_squares<T: Real>(x: &[T]) -> f64 {
    let blocks: Vec<f64> = x
        .par_chunks(BLOCK)
        .map(|block| {
            let mut lanes = [0.0f64; 8];
            for part in block.chunks(8) {
                for (lane, &x) in lanes.iter_mut().zip(part) {
                    let x = x.to_f64();
                    *lane += x * x;
                }
            }
            lanes.iter().sum()
        })
        .collect();
    blocks.iter().sum()
}
