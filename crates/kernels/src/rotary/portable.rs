//! The rotation in plain tensor operations.

use burn::tensor::{Tensor, TensorData};

use super::{Positions, RotaryLayout, RotaryOptions};

pub(crate) fn rotary(x: Tensor<4>, options: RotaryOptions, positions: impl Into<Positions>) -> Tensor<4> {
    let RotaryOptions { layout, width: rotated_width, base } = options;
    let positions = positions.into();
    let [batch, length, heads, width] = x.dims();
    let half = rotated_width / 2;
    if half == 0 {
        return x;
    }
    let angles = (0..length).flat_map(|t| {
        (0..half).map(move |i| positions.at(t) as f64 * base.powf(-2.0 * i as f64 / rotated_width as f64))
    });
    let (mut sin, mut cos) = (Vec::new(), Vec::new());
    for angle in angles {
        sin.push(angle.sin());
        cos.push(angle.cos());
    }
    let place = (x.device(), x.dtype());
    let table = |values: Vec<f64>| -> Tensor<4> {
        Tensor::from_data(TensorData::new(values, [1, length, 1, half]), (&place.0, place.1))
    };
    let (sin, cos) = (table(sin), table(cos));
    let turned = x.clone().narrow(3, 0, rotated_width);
    let rotated = match layout {
        RotaryLayout::SplitHalf => {
            let (a, b) = (turned.clone().narrow(3, 0, half), turned.narrow(3, half, half));
            let (a, b) = rotate(a, b, sin, cos);
            Tensor::cat(vec![a, b], 3)
        }
        RotaryLayout::Interleaved => {
            let pairs = turned.reshape([batch, length, heads, half, 2]);
            let part = |index| pairs.clone().narrow(4, index, 1).reshape([batch, length, heads, half]);
            let (a, b) = rotate(part(0), part(1), sin, cos);
            let column = |t: Tensor<4>| t.reshape([batch, length, heads, half, 1]);
            Tensor::cat(vec![column(a), column(b)], 4).reshape([batch, length, heads, rotated_width])
        }
    };
    if rotated_width == width {
        return rotated;
    }
    Tensor::cat(vec![rotated, x.narrow(3, rotated_width, width - rotated_width)], 3)
}

fn rotate(a: Tensor<4>, b: Tensor<4>, sin: Tensor<4>, cos: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
    let first = a.clone() * cos.clone() - b.clone() * sin.clone();
    let second = a * sin + b * cos;
    (first, second)
}
