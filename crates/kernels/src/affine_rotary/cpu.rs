//! The map and the rotation of a row while it is in the cache; backward, the sums for γ and β in the same pass.

use burn_flex::FlexTensor;

use crate::cpu::{
    Real, Rows, block_rows, for_blocks, for_blocks_with, output, slice, sum_blocks, tensor, vectorised,
    with_real, with_rows,
};
use crate::profile;
use crate::rotary::cpu::{Rotation, Table};

/// Which row of the parameters to use, and how to turn the result.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) index: usize,
    pub(crate) rotation: Option<Rotation>,
}

/// The operands of one head.
#[derive(Clone, Debug)]
pub(super) struct Operands {
    x: FlexTensor,
    gamma: FlexTensor,
    beta: Option<FlexTensor>,
    head: Head,
}

impl Operands {
    pub(super) fn new(x: FlexTensor, gamma: FlexTensor, beta: Option<FlexTensor>, head: Head) -> Self {
        let beta = beta.map(|beta| beta.to_contiguous());
        Operands { x: with_rows(x), gamma: gamma.to_contiguous(), beta, head }
    }

    pub(super) fn has_beta(&self) -> bool {
        self.beta.is_some()
    }

    /// Positions in a row of the batch, and channels.
    fn length_and_width(&self) -> (usize, usize) {
        let shape = self.x.layout().shape();
        (shape[1], shape[2])
    }

    /// The head's row of a parameter.
    fn row<'a, T: Real>(&self, parameter: &'a FlexTensor) -> &'a [T] {
        let (_, width) = self.length_and_width();
        &slice::<T>(parameter)[self.head.index * width..][..width]
    }
}

pub(super) fn forward(operands: &Operands) -> FlexTensor {
    profile::operation(
        "affine_rotary",
        [&operands.x],
        || with_real!(operands.x.dtype(), R => forward_as::<R>(operands)),
    )
}

fn forward_as<T: Real>(operands: &Operands) -> FlexTensor {
    let (length, width) = operands.length_and_width();
    let shape = operands.x.layout().shape().clone();
    let x = Rows::<T>::new(&operands.x);
    let gamma = operands.row::<T>(&operands.gamma);
    let zeros = vec![T::ZERO; width];
    let beta = operands.beta.as_ref().map_or(&zeros[..], |beta| operands.row(beta));
    let table: Option<Table<T>> = operands.head.rotation.as_ref().map(Rotation::table);
    let mut out = output::<T>(shape.num_elements());
    for_blocks(&mut out, block_rows(width) * width, |start, block| {
        for (i, out) in (start / width..).zip(block.chunks_exact_mut(width)) {
            affine(out, x.row(i), gamma, beta);
            if let Some(table) = &table {
                table.turn(i % length, out, width);
            }
        }
    });
    tensor(out, shape)
}

/// Gradients of x, γ and β.
pub(super) fn backward(dy: &FlexTensor, operands: &Operands) -> [FlexTensor; 3] {
    profile::operation(
        "affine_rotary",
        [dy, &operands.x],
        || with_real!(dy.dtype(), R => backward_as::<R>(dy, operands)),
    )
}

fn backward_as<T: Real>(dy: &FlexTensor, operands: &Operands) -> [FlexTensor; 3] {
    let (length, width) = operands.length_and_width();
    let shape = operands.x.layout().shape().clone();
    let dy = with_rows(dy.clone());
    let (dy, x) = (Rows::<T>::new(&dy), Rows::<T>::new(&operands.x));
    let gamma = operands.row::<T>(&operands.gamma);
    let table: Option<Table<T>> = operands.head.rotation.as_ref().map(|rotation| rotation.inverse().table());
    let size = block_rows(width) * width;
    let mut dx = output::<T>(shape.num_elements());
    let mut partial = vec![T::ZERO; dx.len().div_ceil(size.max(1)) * 2 * width];
    for_blocks_with(&mut dx, size, &mut partial, 2 * width, |start, block, partial| {
        let (dgamma, dbeta) = partial.split_at_mut(width);
        for (i, dx) in (start / width..).zip(block.chunks_exact_mut(width)) {
            dx.copy_from_slice(dy.row(i));
            if let Some(table) = &table {
                table.turn(i % length, dx, width);
            }
            affine_gradients(dx, dgamma, dbeta, x.row(i), gamma);
        }
    });
    let sums = sum_blocks(&partial, 2 * width);
    let (dgamma, dbeta) = sums.split_at(width);
    let heads = operands.gamma.layout().shape()[0];
    let parameter = |row: &[T]| {
        let mut all = vec![T::ZERO; heads * width];
        all[operands.head.index * width..][..width].copy_from_slice(row);
        tensor(all, [heads, width])
    };
    [tensor(dx, shape), parameter(dgamma), parameter(dbeta)]
}

vectorised! {
    /// `out ← x ⊙ γ + β`.
    fn affine<T: Real>(out: &mut [T], x: &[T], gamma: &[T], beta: &[T]) {
        for ((out, &x), (&gamma, &beta)) in out.iter_mut().zip(x).zip(gamma.iter().zip(beta)) {
            *out = x.mul_add(gamma, beta);
        }
    }
}

vectorised! {
    /// Adds the gradient d of the map to those of its parameters, then turns d into the gradient of x.
    fn affine_gradients<T: Real>(d: &mut [T], dgamma: &mut [T], dbeta: &mut [T], x: &[T], gamma: &[T]) {
        let parameters = dgamma.iter_mut().zip(dbeta);
        for ((d, (dgamma, dbeta)), (&x, &gamma)) in d.iter_mut().zip(parameters).zip(x.iter().zip(gamma)) {
            *dgamma = d.mul_add(x, *dgamma);
            *dbeta += *d;
            *d = *d * gamma;
        }
    }
}
