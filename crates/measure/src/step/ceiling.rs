//! The fastest this process multiplies matrices on this machine.

use std::time::Instant;

use burn::tensor::{Device, Tensor, TensorData};
use mixlab_core::{Key, Precision, Purpose};

/// Side of the matrices: large enough for full speed, small enough to stay in a shared cache.
const SIDE: usize = 1024;
/// Products in a measurement.
const PRODUCTS: usize = 8;
/// Measurements, of which the fastest counts: what disturbs only ever slows.
const ROUNDS: usize = 5;

/// Rate of a product of two square matrices, in 10⁹ floating-point operations a second.
pub fn ceiling_gflops(device: &Device, precision: Precision) -> f64 {
    let matrix = |index| {
        let stream = Key::root(0).purpose(Purpose::Synthetic).sample(index);
        let values: Vec<f64> = (0..SIDE * SIDE).map(|i| stream.uniform(i as u64) - 0.5).collect();
        Tensor::<2>::from_data(TensorData::new(values, [SIDE, SIDE]), (device, precision.dtype()))
    };
    let (a, b) = (matrix(0), matrix(1));
    let operations = 2.0 * (SIDE as f64).powi(3) * PRODUCTS as f64;
    let rate = |_| {
        let begin = Instant::now();
        let mut sum = 0.0;
        for _ in 0..PRODUCTS {
            // Reading one number waits for a device that computes on its own time.
            sum += a.clone().matmul(b.clone()).slice([0..1, 0..1]).into_scalar::<f64>();
        }
        let seconds = begin.elapsed().as_secs_f64();
        assert!(sum.is_finite(), "a product of finite numbers");
        operations / seconds / 1e9
    };
    (0..ROUNDS).map(rate).fold(0.0, f64::max)
}
