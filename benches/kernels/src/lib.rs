//! Inputs for the benches of the kernels.

use burn::tensor::{DType, Device, Tensor, TensorData};
use mixlab_core::{Key, Purpose};

/// The device without gradient tracking.
pub fn plain() -> Device {
    Device::flex()
}

/// The device with it.
pub fn tracked() -> Device {
    Device::flex().autodiff()
}

/// Standard normal numbers in single precision, tracked if the device is.
pub fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    let stream = Key::root(shape.iter().product::<usize>() as u64).purpose(Purpose::Synthetic).sample(0);
    let values: Vec<f32> = (0..shape.iter().product::<usize>() as u64).map(|i| stream.normal(i) as f32).collect();
    let tensor = Tensor::from_data(TensorData::new(values, shape), (device, DType::F32));
    if device.is_autodiff() { tensor.require_grad() } else { tensor }
}
