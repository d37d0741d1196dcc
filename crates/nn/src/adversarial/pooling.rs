//! Making images smaller and larger: 2 × 2 averages and maxima, the average of all pixels, and every pixel four times.

use burn::tensor::{Int, Tensor};

use super::config::PoolConfig;
use super::tape::{Operation, Tape};
use crate::dual::Dual;

/// How pixels become fewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// The average of 2 × 2 pixels.
    Average,
    /// The largest of 2 × 2 pixels; a tangent comes from where the largest is.
    Max,
    /// The average of all pixels.
    Global,
}

impl From<PoolConfig> for Pool {
    fn from(config: PoolConfig) -> Self {
        match config {
            PoolConfig::Average => Pool::Average,
            PoolConfig::Max => Pool::Max,
        }
    }
}

impl Pool {
    /// `[b, h, w, c]` to half of both sides, or to `[b, 1, 1, c]`.
    pub fn forward(self, x: Dual<4>) -> Dual<4> {
        match self {
            Pool::Average => x.linear(average),
            Pool::Global => x.linear(mean),
            Pool::Max => {
                let (value, places) = largest(x.value);
                Dual { value, tangent: x.tangent.map(|tangent| picked(tangent, places)) }
            }
        }
    }

    /// The same, noted down.
    pub fn trace(self, x: Tensor<4>, tape: &mut Tape) -> Tensor<4> {
        let shape = x.dims();
        match self {
            Pool::Average => {
                tape.note(Operation::Average);
                average(x)
            }
            Pool::Global => {
                tape.note(Operation::Mean { shape });
                mean(x)
            }
            Pool::Max => {
                let (value, places) = largest(x);
                tape.note(Operation::Largest { places });
                value
            }
        }
    }
}

/// 2 × 2 averages.
pub(super) fn average(x: Tensor<4>) -> Tensor<4> {
    let [b, h, w, c] = x.dims();
    let rows = x.reshape([b * h / 2, 2, w * c]).sum_dim(1);
    let pixels = rows.reshape([b * h / 2 * (w / 2), 2, c]).sum_dim(1);
    pixels.mul_scalar(0.25).reshape([b, h / 2, w / 2, c])
}

/// The average of all pixels, `[b, 1, 1, c]`.
pub(super) fn mean(x: Tensor<4>) -> Tensor<4> {
    let [b, h, w, c] = x.dims();
    x.reshape([b, h * w, c]).mean_dim(1).reshape([b, 1, 1, c])
}

/// Every pixel four times: `[b, h, w, c]` to `[b, 2h, 2w, c]`.
pub(super) fn doubled(x: Tensor<4>) -> Tensor<4> {
    let [b, h, w, c] = x.dims();
    let wide = x.reshape([b * h * w, 1, c]).repeat_dim(1, 2).reshape([b * h, 1, 2 * w * c]);
    wide.repeat_dim(1, 2).reshape([b, 2 * h, 2 * w, c])
}

/// The four pixels of each place side by side, `[b, h/2, w/2, c, 4]`.
fn quartets(x: Tensor<4>) -> Tensor<5> {
    let [b, h, w, c] = x.dims();
    let apart: Tensor<6> = x.reshape([b, h / 2, 2, w / 2, 2, c]);
    apart.permute([0, 1, 3, 5, 2, 4]).reshape([b, h / 2, w / 2, c, 4])
}

/// The largest of each four, and which it is, `[b, h/2, w/2, c, 1]`.
fn largest(x: Tensor<4>) -> (Tensor<4>, Tensor<5, Int>) {
    let (value, places) = quartets(x).max_dim_with_indices(4);
    (value.squeeze_dim(4), places)
}

/// The one at its place of each four.
pub(super) fn picked(x: Tensor<4>, places: Tensor<5, Int>) -> Tensor<4> {
    quartets(x).gather(4, places).squeeze_dim(4)
}

/// The way back: each number to its place of four, and 0 to the others.
pub(super) fn placed(y: Tensor<4>, places: Tensor<5, Int>) -> Tensor<4> {
    let [b, h, w, c] = y.dims();
    let nothing = Tensor::<5>::zeros([b, h, w, c, 4], (&y.device(), y.dtype()));
    let quartets = nothing.scatter(4, places, y.unsqueeze_dim(4), burn::tensor::IndexingUpdateOp::Add);
    let apart: Tensor<6> = quartets.reshape([b, h, w, c, 2, 2]);
    apart.permute([0, 1, 4, 2, 5, 3]).reshape([b, 2 * h, 2 * w, c])
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device, TensorData};

    use super::*;

    fn image() -> Tensor<4> {
        // Two channels; the second is the first times ten.
        let values: Vec<f64> = (0..16).flat_map(|i| [f64::from(i), f64::from(10 * i)]).collect();
        Tensor::from_data(TensorData::new(values, [1, 4, 4, 2]), (&Device::flex(), DType::F64))
    }

    fn numbers(x: Tensor<4>) -> Vec<f64> {
        x.into_data().iter().collect()
    }

    #[test]
    fn pools_by_hand() {
        assert_eq!(numbers(average(image())), [2.5, 25.0, 4.5, 45.0, 10.5, 105.0, 12.5, 125.0]);
        assert_eq!(numbers(mean(image())), [7.5, 75.0]);
        let (value, places) = largest(image());
        assert_eq!(numbers(value.clone()), [5.0, 50.0, 7.0, 70.0, 13.0, 130.0, 15.0, 150.0]);
        assert_eq!(numbers(picked(image(), places.clone())), numbers(value.clone()));
        let back = numbers(placed(value, places));
        for (pixel, found) in back.iter().enumerate() {
            let (i, channel) = (pixel / 2, pixel % 2);
            let expected = if [5, 7, 13, 15].contains(&i) { i as f64 * [1.0, 10.0][channel] } else { 0.0 };
            assert_eq!(*found, expected, "{pixel}");
        }
    }

    #[test]
    fn a_doubled_image_averages_to_itself() {
        assert_eq!(numbers(average(doubled(image()))), numbers(image()));
    }
}
