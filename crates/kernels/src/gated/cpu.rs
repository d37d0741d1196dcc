//! Gated products row by row; value and gate may be slices of a wider tensor.

use burn::tensor::Shape;
use burn_flex::FlexTensor;

use crate::Activation;
use crate::activation::functions::{Function, with_function};
use crate::cpu::{
    Real, Rows, block_rows, for_blocks, for_blocks_with, output, tensor, vectorised, with_real, with_rows,
};
use crate::profile;

/// Value and gate of one shape, perhaps two views of one tensor.
#[derive(Clone, Debug)]
pub(super) struct Gated {
    value: FlexTensor,
    gate: FlexTensor,
}

impl Gated {
    pub(super) fn pair(value: FlexTensor, gate: FlexTensor) -> Self {
        Gated { value: with_rows(value), gate: with_rows(gate) }
    }

    /// The halves of the last axis, value first.
    pub(super) fn halves(x: FlexTensor) -> Self {
        let x = with_rows(x);
        let axis = x.layout().num_dims() - 1;
        let half = x.layout().shape().as_slice()[axis] / 2;
        let [value, gate] = [0, half].map(|start| {
            let layout = x.layout().narrow(axis, start, half);
            x.clone().with_layout(layout)
        });
        Gated { value, gate }
    }

    fn shape(&self) -> Shape {
        self.value.layout().shape().clone()
    }

    fn rows_and_width(&self) -> (usize, usize) {
        let shape = self.shape();
        let width = shape.as_slice().last().copied().unwrap_or(1);
        (shape.num_elements().checked_div(width).unwrap_or(0), width)
    }
}

pub(super) fn forward(gated: &Gated, activation: Activation) -> FlexTensor {
    profile::operation(
        "gated_product",
        [&gated.value, &gated.gate],
        || with_real!(gated.value.dtype(), R => with_function!(activation, F => forward_as::<R, F>(gated))),
    )
}

fn forward_as<T: Real, F: Function>(gated: &Gated) -> FlexTensor {
    let (rows, width) = gated.rows_and_width();
    let (values, gates) = (Rows::<T>::new(&gated.value), Rows::<T>::new(&gated.gate));
    let mut out = output::<T>(rows * width);
    for_blocks(&mut out, block_rows(width) * width, |start, block| {
        for (i, out) in (start / width..).zip(block.chunks_exact_mut(width)) {
            gate_row::<T, F>(out, values.row(i), gates.row(i));
        }
    });
    tensor(out, gated.shape())
}

/// Gradients of value and gate.
pub(super) fn pair_gradients(dy: &FlexTensor, gated: &Gated, activation: Activation) -> [FlexTensor; 2] {
    profile::operation(
        "gated_product",
        [dy, &gated.value, &gated.gate],
        || with_real!(dy.dtype(), R => with_function!(activation, F => pair_gradients_as::<R, F>(dy, gated))),
    )
}

fn pair_gradients_as<T: Real, F: Function>(dy: &FlexTensor, gated: &Gated) -> [FlexTensor; 2] {
    let (rows, width) = gated.rows_and_width();
    let dy = with_rows(dy.clone());
    let dy = Rows::<T>::new(&dy);
    let (values, gates) = (Rows::<T>::new(&gated.value), Rows::<T>::new(&gated.gate));
    let [mut dvalue, mut dgate] = [(); 2].map(|()| output::<T>(rows * width));
    let size = block_rows(width) * width;
    for_blocks_with(&mut dvalue, size, &mut dgate, size, |start, dvalue, dgate| {
        let blocks = dvalue.chunks_exact_mut(width).zip(dgate.chunks_exact_mut(width));
        for (i, (dvalue, dgate)) in (start / width..).zip(blocks) {
            gate_row_gradients::<T, F>(dvalue, dgate, dy.row(i), values.row(i), gates.row(i));
        }
    });
    [dvalue, dgate].map(|gradient| tensor(gradient, gated.shape()))
}

/// Gradient of the tensor whose halves are value and gate.
pub(super) fn halves_gradient(dy: &FlexTensor, gated: &Gated, activation: Activation) -> FlexTensor {
    profile::operation(
        "gated_product",
        [dy, &gated.value, &gated.gate],
        || with_real!(dy.dtype(), R => with_function!(activation, F => halves_gradient_as::<R, F>(dy, gated))),
    )
}

fn halves_gradient_as<T: Real, F: Function>(dy: &FlexTensor, gated: &Gated) -> FlexTensor {
    let (rows, half) = gated.rows_and_width();
    let dy = with_rows(dy.clone());
    let dy = Rows::<T>::new(&dy);
    let (values, gates) = (Rows::<T>::new(&gated.value), Rows::<T>::new(&gated.gate));
    let width = 2 * half;
    let mut dx = output::<T>(rows * width);
    for_blocks(&mut dx, block_rows(width) * width, |start, block| {
        for (i, dx) in (start / width..).zip(block.chunks_exact_mut(width)) {
            let (dvalue, dgate) = dx.split_at_mut(half);
            gate_row_gradients::<T, F>(dvalue, dgate, dy.row(i), values.row(i), gates.row(i));
        }
    });
    let mut shape = gated.shape().to_vec();
    if let Some(last) = shape.last_mut() {
        *last = width;
    }
    tensor(dx, shape)
}

vectorised! {
    fn gate_row<T: Real, F: Function>(out: &mut [T], value: &[T], gate: &[T]) {
        for ((out, &value), &gate) in out.iter_mut().zip(value).zip(gate) {
            *out = value * F::value(gate);
        }
    }
}

vectorised! {
    fn gate_row_gradients<T: Real, F: Function>(
        dvalue: &mut [T],
        dgate: &mut [T],
        dy: &[T],
        value: &[T],
        gate: &[T],
    ) {
        let results = dvalue.iter_mut().zip(dgate.iter_mut());
        for ((results, &dy), (&value, &gate)) in results.zip(dy).zip(value.iter().zip(gate)) {
            let (activated, slope) = F::both(gate);
            *results.0 = dy * activated;
            *results.1 = dy * value * slope.settled();
        }
    }
}
