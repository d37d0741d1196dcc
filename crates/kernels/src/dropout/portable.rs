//! Dropout as a product with a mask made on the host.

use burn::tensor::{Tensor, TensorData};

use super::Dropout;

pub(crate) fn dropout<const D: usize>(x: Tensor<D>, options: &Dropout) -> Tensor<D> {
    let shape = x.dims();
    let size: usize = shape[1..].iter().product();
    let (threshold, scale) = (options.threshold(), options.survivor_scale());
    let mut mask = Vec::with_capacity(size * shape[0]);
    for &sample in options.samples.iter() {
        let stream = options.key.sample(sample);
        mask.extend((0..size as u64).map(|i| if stream.bits(i) < threshold { 0.0 } else { scale }));
    }
    let mask = Tensor::from_data(TensorData::new(mask, shape), (&x.device(), x.dtype()));
    x * mask
}
