//! The updates over fixed blocks of all parameters at once. Moments change in place. Parameters do not: whoever asks for an update holds them in
//! a model still, so that they would be copied first, and by one thread.

use burn::backend::Flex;
use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use rayon::prelude::*;

use super::{AdaptiveMoments, Slot, UpdateRule, UpdateStep, Updated};
use crate::cpu::{BLOCK, Real, output, owned, primitive, slice, sum, tensor, vectorised, with_real};

/// The tensors of one slot as the back end holds them.
struct Held {
    parameter: FlexTensor,
    gradient: FlexTensor,
    moments: Vec<FlexTensor>,
    weight_decay: f64,
}

/// A block of a slot.
struct Piece<'a, T> {
    slot: usize,
    before: &'a [T],
    parameter: &'a mut [T],
    gradient: &'a [T],
    moments: Vec<&'a mut [T]>,
    weight_decay: T,
}

pub(super) fn update(slots: Vec<Slot>, step: &UpdateStep) -> Vec<Updated> {
    let dtype = slots[0].parameter.dtype();
    let held: Vec<Held> = slots.into_iter().map(hold).collect();
    with_real!(dtype, R => update_as::<R>(held, step))
}

fn update_as<T: Real>(mut held: Vec<Held>, step: &UpdateStep) -> Vec<Updated> {
    let mut parameters: Vec<Vec<T>> =
        held.iter().map(|held| output(held.parameter.layout().num_elements())).collect();
    let mut pieces = cut::<T>(&mut held, &mut parameters);
    match step.rule {
        UpdateRule::AdamW(rule) => {
            let numbers = Numbers::new(&rule, step);
            pieces.par_iter_mut().for_each(|piece| adamw(piece, &numbers));
        }
        UpdateRule::Lamb(rule) => lamb(&mut pieces, &Numbers::new(&rule, step)),
        UpdateRule::Sgd { momentum, nesterov } => {
            let numbers = SgdNumbers {
                scale: T::of(step.gradient_scale),
                rate: T::of(step.learning_rate),
                momentum: T::of(momentum),
                nesterov,
            };
            pieces.par_iter_mut().for_each(|piece| sgd(piece, &numbers));
        }
    }
    held.into_iter().zip(parameters).map(|(held, parameter)| release(held, parameter)).collect()
}

/// Σ x² in double precision: blocks in parallel, their sums in order.
pub(super) fn square_sum(x: &Tensor<1>) -> f64 {
    let x = primitive(x.clone()).to_contiguous();
    with_real!(x.dtype(), R => {
        let blocks: Vec<f64> = slice::<R>(&x).par_chunks(BLOCK).map(block_square_sum).collect();
        blocks.iter().sum()
    })
}

fn hold(slot: Slot) -> Held {
    Held {
        parameter: primitive(slot.parameter).to_contiguous(),
        gradient: primitive(slot.gradient).to_contiguous(),
        moments: slot.moments.into_iter().map(|moment| owned(primitive(moment))).collect(),
        weight_decay: slot.weight_decay,
    }
}

fn release<T: Real>(held: Held, parameter: Vec<T>) -> Updated {
    let shape = held.parameter.layout().shape().clone();
    Updated {
        parameter: Tensor::from_primitive::<Flex>(tensor(parameter, shape)),
        moments: held.moments.into_iter().map(Tensor::from_primitive::<Flex>).collect(),
    }
}

/// The blocks of all slots, in order. Moments that something else holds are copied here.
fn cut<'a, T: Real>(held: &'a mut [Held], parameters: &'a mut [Vec<T>]) -> Vec<Piece<'a, T>> {
    let mut pieces = Vec::new();
    for (slot, (held, parameter)) in held.iter_mut().zip(parameters).enumerate() {
        let befores = slice::<T>(&held.parameter).chunks(BLOCK);
        let gradients = slice::<T>(&held.gradient).chunks(BLOCK);
        let mut moments: Vec<_> =
            held.moments.iter_mut().map(|moment| moment.storage_mut::<T>().chunks_mut(BLOCK)).collect();
        for ((parameter, before), gradient) in parameter.chunks_mut(BLOCK).zip(befores).zip(gradients) {
            let moments = moments.iter_mut().filter_map(Iterator::next).collect();
            let weight_decay = T::of(held.weight_decay);
            pieces.push(Piece { slot, before, parameter, gradient, moments, weight_decay });
        }
    }
    pieces
}

/// The numbers of an adaptive rule in the precision of the parameters.
struct Numbers<T> {
    scale: T,
    rate: T,
    beta1: T,
    beta2: T,
    /// 1 − β₁ and 1 − β₂.
    rest1: T,
    rest2: T,
    /// Reciprocals of the bias corrections.
    unbias1: T,
    unbias2: T,
    epsilon: T,
}

impl<T: Real> Numbers<T> {
    fn new(rule: &AdaptiveMoments, step: &UpdateStep) -> Self {
        let (first, second) = step.corrections(rule);
        Numbers {
            scale: T::of(step.gradient_scale),
            rate: T::of(step.learning_rate),
            beta1: T::of(rule.beta1),
            beta2: T::of(rule.beta2),
            rest1: T::of(1.0 - rule.beta1),
            rest2: T::of(1.0 - rule.beta2),
            unbias1: T::of(1.0 / first),
            unbias2: T::of(1.0 / second),
            epsilon: T::of(rule.epsilon),
        }
    }

    /// Moves the moments of one element and returns m̂ / (sqrt(v̂) + ε).
    #[inline(always)]
    fn direction(&self, gradient: T, first: &mut T, second: &mut T) -> T {
        let gradient = gradient * self.scale;
        *first = self.beta1.mul_add(*first, self.rest1 * gradient);
        *second = self.beta2.mul_add(*second, self.rest2 * (gradient * gradient));
        *first * self.unbias1 / ((*second * self.unbias2).sqrt() + self.epsilon)
    }
}

struct SgdNumbers<T> {
    scale: T,
    rate: T,
    momentum: T,
    nesterov: bool,
}

/// LAMB needs the norms of a whole slot between the two halves of its update.
fn lamb<T: Real>(pieces: &mut [Piece<'_, T>], numbers: &Numbers<T>) {
    let slots = pieces.last().map_or(0, |piece| piece.slot + 1);
    let mut updates: Vec<Vec<T>> = pieces.iter().map(|piece| output(piece.parameter.len())).collect();
    let squares: Vec<(f64, f64)> = pieces
        .par_iter_mut()
        .zip(&mut updates)
        .map(|(piece, update)| {
            lamb_direction(piece, update, numbers);
            (block_square_sum(piece.before), block_square_sum(update))
        })
        .collect();
    let mut norms = vec![(0.0, 0.0); slots];
    for (piece, (parameter, update)) in pieces.iter().zip(squares) {
        norms[piece.slot].0 += parameter;
        norms[piece.slot].1 += update;
    }
    pieces.par_iter_mut().zip(&updates).for_each(|(piece, update)| {
        let (parameter, square) = norms[piece.slot];
        let rate = T::of(numbers.rate.wide() * super::trust_ratio(parameter, square));
        descend(piece, update, rate);
    });
}

vectorised! {
    fn adamw<T: Real>(piece: &mut Piece<'_, T>, numbers: &Numbers<T>) {
        let [first, second] = piece.moments.as_mut_slice() else { return };
        let keep = T::ONE - numbers.rate * piece.weight_decay;
        let moments = first.iter_mut().zip(second.iter_mut());
        let values = piece.parameter.iter_mut().zip(piece.before.iter().zip(piece.gradient));
        for ((new, (&p, &g)), (first, second)) in values.zip(moments) {
            let direction = numbers.direction(g, first, second);
            *new = keep * p - numbers.rate * direction;
        }
    }
}

vectorised! {
    fn lamb_direction<T: Real>(piece: &mut Piece<'_, T>, update: &mut [T], numbers: &Numbers<T>) {
        let [first, second] = piece.moments.as_mut_slice() else { return };
        let moments = first.iter_mut().zip(second.iter_mut());
        let values = piece.before.iter().zip(piece.gradient);
        for ((update, (&p, &g)), (first, second)) in update.iter_mut().zip(values).zip(moments) {
            *update = piece.weight_decay.mul_add(p, numbers.direction(g, first, second));
        }
    }
}

vectorised! {
    fn sgd<T: Real>(piece: &mut Piece<'_, T>, numbers: &SgdNumbers<T>) {
        let SgdNumbers { scale, rate, momentum, nesterov } = *numbers;
        let decay = piece.weight_decay;
        let values = piece.parameter.iter_mut().zip(piece.before.iter().zip(piece.gradient));
        match piece.moments.as_mut_slice() {
            [velocity] => {
                // Both forms are g·a + velocity·b of the new velocity.
                let (a, b) = if nesterov { (T::ONE, momentum) } else { (T::ZERO, T::ONE) };
                for ((new, (&p, &g)), velocity) in values.zip(velocity.iter_mut()) {
                    let gradient = decay.mul_add(p, scale * g);
                    *velocity = momentum.mul_add(*velocity, gradient);
                    *new = p - rate * (gradient * a + *velocity * b);
                }
            }
            _ => {
                for (new, (&p, &g)) in values {
                    *new = p - rate * decay.mul_add(p, scale * g);
                }
            }
        }
    }
}

vectorised! {
    fn descend<T: Real>(piece: &mut Piece<'_, T>, update: &[T], rate: T) {
        for ((new, &p), &u) in piece.parameter.iter_mut().zip(piece.before).zip(update) {
            *new = p - rate * u;
        }
    }
}

vectorised! {
    fn block_square_sum<T: Real>(x: &[T]) -> f64 {
        sum(x, |x: T| x.wide() * x.wide())
    }
}
