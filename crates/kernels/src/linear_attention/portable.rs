//! Linear attention by its n×n matrix of products, in plain tensor operations.

use burn::tensor::Tensor;

use super::LinearOptions;
use crate::mask::Geometry;

pub(crate) fn linear_attention(
    q: Tensor<4>,
    k: Tensor<4>,
    v: Tensor<4>,
    options: LinearOptions,
) -> Tensor<4> {
    let [batch, n, heads, _] = q.dims();
    let geometry = Geometry { batch, queries: n, keys: n, causal: options.causal };
    let products = q.swap_dims(1, 2).matmul(k.swap_dims(1, 2).swap_dims(2, 3));
    let products = if options.mask.is_trivial(&geometry) {
        products
    } else {
        let hidden = options.mask.hidden(&geometry, &products.device());
        products.mask_fill(hidden.unsqueeze_dim::<4>(1).expand([batch, heads, n, n]), 0.0)
    };
    let numerator = products.clone().matmul(v.swap_dims(1, 2));
    let output = match options.epsilon {
        Some(epsilon) => {
            let divisor = products.sum_dim(3).add_scalar(epsilon);
            // A query that sees no key has numerator zero: any divisor gives zero.
            let zero = divisor.clone().equal_elem(0.0);
            numerator / divisor.mask_fill(zero, 1.0)
        }
        None => numerator,
    };
    output.swap_dims(1, 2)
}
