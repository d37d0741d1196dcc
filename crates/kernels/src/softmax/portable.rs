//! The softmax in plain tensor operations.

use burn::tensor::Tensor;

pub(crate) fn softmax<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let hidden = x.clone().equal_elem(f64::NEG_INFINITY);
    // The maximum is finite also where all is hidden; such a row gives zeros, not 0/0.
    let x = x.mask_fill(hidden.clone(), f64::from(f32::MIN));
    let largest = x.clone().detach().max_dim(D - 1);
    let exponentials = (x - largest).exp().mask_fill(hidden, 0.0);
    let sum = exponentials.clone().sum_dim(D - 1);
    let empty = sum.clone().equal_elem(0.0);
    exponentials / sum.mask_fill(empty, 1.0)
}
