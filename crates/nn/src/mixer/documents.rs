//! Masks for mixers whose hidden units see the whole sequence at once.

use burn::tensor::{DType, Device, Tensor, TensorData};
use mixlab_kernels::Mask;

/// The real tokens of one document of every row, 1 or 0, `[b, n, 1]`.
pub(super) type RealTokens = Tensor<3>;

/// Runs `mix` once for the k-th documents of all rows, with all other vectors set to zero, and joins the results.
///
/// `mix` receives the hidden sequence and which of its tokens are real, or the plain sequence and nothing if no mask
/// is set. Rows of padding are unspecified.
pub(super) fn by_document(
    x: Tensor<3>,
    mask: &Mask,
    mix: impl Fn(Tensor<3>, Option<RealTokens>) -> Tensor<3>,
) -> Tensor<3> {
    let [batch, n, _] = x.dims();
    let documents = documents(mask, batch, n, &x.device(), x.dtype());
    match documents.as_slice() {
        [] => mix(x, None),
        [real] => mix(x * real.clone(), Some(real.clone())),
        several => {
            let part = |real: &RealTokens| mix(x.clone() * real.clone(), Some(real.clone())) * real.clone();
            several.iter().map(part).reduce(Tensor::add).unwrap_or(x.clone())
        }
    }
}

/// `x` with the vectors of padding set to zero.
pub(super) fn without_padding(x: Tensor<3>, mask: &Mask) -> Tensor<3> {
    match &mask.padding {
        Some(real) => {
            let [batch, n, _] = x.dims();
            let real = indicator(real.iter().copied(), batch, n, &x.device(), x.dtype());
            x * real
        }
        None => x,
    }
}

/// The k-th document of every row for every k; nothing if no mask is set.
fn documents(mask: &Mask, batch: usize, n: usize, device: &Device, dtype: DType) -> Vec<RealTokens> {
    if mask.padding.is_none() && mask.segments.is_none() {
        return Vec::new();
    }
    let order = document_order(mask, batch, n);
    let count = order.iter().copied().max().map_or(1, |last| last + 1);
    let real = |position: usize| mask.padding.as_ref().is_none_or(|real| real[position]);
    (0..count)
        .map(|k| {
            let tokens = order.iter().enumerate().map(|(position, &at)| at == k && real(position));
            indicator(tokens, batch, n, device, dtype)
        })
        .collect()
}

/// The number of each token's document within its row.
fn document_order(mask: &Mask, batch: usize, n: usize) -> Vec<usize> {
    let Some(ids) = &mask.segments else { return vec![0; batch * n] };
    let mut order = Vec::with_capacity(batch * n);
    for row in ids.chunks_exact(n) {
        let mut at = 0;
        for i in 0..n {
            at += usize::from(i > 0 && row[i] != row[i - 1]);
            order.push(at);
        }
    }
    order
}

fn indicator(
    tokens: impl Iterator<Item = bool>,
    batch: usize,
    n: usize,
    device: &Device,
    dtype: DType,
) -> RealTokens {
    let values: Vec<f64> = tokens.map(|real| f64::from(u8::from(real))).collect();
    Tensor::from_data(TensorData::new(values, [batch, n, 1]), (device, dtype))
}
