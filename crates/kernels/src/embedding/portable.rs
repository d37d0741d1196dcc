//! The look-up in plain tensor operations.

use burn::tensor::{Int, Tensor};

pub(crate) fn embedding(weight: Tensor<2>, ids: Tensor<2, Int>) -> Tensor<3> {
    let [batch, length] = ids.dims();
    let width = weight.dims()[1];
    weight.select(0, ids.reshape([batch * length])).reshape([batch, length, width])
}
