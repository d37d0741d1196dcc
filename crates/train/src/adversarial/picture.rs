//! Pictures of samples: a grid of images, or points in a plane.

use burn::tensor::Tensor;
use mixlab_data::encode_png;
use plotters::prelude::*;

type Failure = Box<dyn std::error::Error>;

const SIZE: u32 = 600;
const REAL: RGBColor = RGBColor(170, 170, 170);
const MADE: RGBColor = RGBColor(31, 119, 180);
/// Pixels on a side of a picture that need no enlarging.
const LEGIBLE: usize = 512;
/// Of the line between images.
const LINE: u8 = 96;

/// A PNG of images `[n, h, w, c]` in [−1, 1], `columns` in a row, enlarged to be seen.
///
/// # Errors
/// What the encoder says, as of images with neither 1 nor 3 channels.
///
/// # Panics
/// If there are no columns.
pub fn sample_grid(samples: &Tensor<4>, columns: usize) -> Result<Vec<u8>, String> {
    let (pixels, [wide, high]) = grid(samples, columns);
    encode_png(&pixels, wide, high, samples.dims()[3])
}

/// The pixels of a grid, with its width and height.
fn grid(samples: &Tensor<4>, columns: usize) -> (Vec<u8>, [usize; 2]) {
    let [count, height, width, channels] = samples.dims();
    let values: Vec<f32> = samples.to_data().iter().collect();
    // A line of one pixel between images, so that one can tell where each ends.
    let (across, down) = (width + 1, height + 1);
    let (all_across, all_down) = (columns * across - 1, count.div_ceil(columns) * down - 1);
    let zoom = (LEGIBLE / all_across.max(all_down)).clamp(1, 8);
    let (wide, high) = (all_across * zoom, all_down * zoom);
    let mut pixels = vec![LINE; wide * high * channels];
    for (at, pixel) in pixels.chunks_exact_mut(channels).enumerate() {
        let (x, y) = (at % wide / zoom, at / wide / zoom);
        let (sample, inside) = (y / down * columns + x / across, x % across < width && y % down < height);
        if sample < count && inside {
            let from = ((sample * height + y % down) * width + x % across) * channels;
            for (pixel, value) in pixel.iter_mut().zip(&values[from..]) {
                *pixel = ((value + 1.0) * 127.5).round().clamp(0.0, 255.0) as u8;
            }
        }
    }
    (pixels, [wide, high])
}

/// An SVG of made points, over real ones if there are any, `[n, 1, 1, 2]`.
///
/// # Errors
/// What the drawing library says.
pub fn sample_scatter(real: Option<&Tensor<4>>, made: &Tensor<4>) -> Result<String, String> {
    scatter(real, made).map_err(|error| error.to_string())
}

fn scatter(real: Option<&Tensor<4>>, made: &Tensor<4>) -> Result<String, Failure> {
    let points = |x: &Tensor<4>| -> Vec<(f64, f64)> {
        let values: Vec<f64> = x.to_data().iter().collect();
        values.chunks_exact(2).map(|point| (point[0], point[1])).collect()
    };
    let (real, made) = (real.map_or_else(Vec::new, points), points(made));
    let shown = if real.is_empty() { &made } else { &real };
    let furthest = shown.iter().map(|(x, y)| x.abs().max(y.abs())).fold(0.0, f64::max) * 1.15;
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (SIZE, SIZE)).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .margin(10)
            .x_label_area_size(28)
            .y_label_area_size(36)
            .build_cartesian_2d(-furthest..furthest, -furthest..furthest)?;
        chart.configure_mesh().light_line_style(WHITE).draw()?;
        for (points, colour) in [(real, REAL), (made, MADE)] {
            let inside = points.into_iter().filter(|(x, y)| x.abs().max(y.abs()) <= furthest);
            chart.draw_series(inside.map(|point| Circle::new(point, 1, colour.filled())))?;
        }
        area.present()?;
    }
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device, TensorData};

    use super::*;

    #[test]
    fn images_stand_beside_each_other_with_a_line_between() {
        let values = vec![-1.0f32, 1.0, 0.0];
        let samples =
            Tensor::<4>::from_data(TensorData::new(values, [3, 1, 1, 1]), (&Device::flex(), DType::F32));
        let (pixels, size) = grid(&samples, 2);
        // Two images of one pixel with a line between, eight times enlarged: black, line, white above; then grey and no third.
        assert_eq!(size, [24, 24]);
        let at = |x: usize, y: usize| pixels[(8 * y + 4) * 24 + 8 * x + 4];
        assert_eq!([at(0, 0), at(1, 0), at(2, 0)], [0, LINE, 255]);
        assert_eq!([at(0, 1), at(0, 2), at(1, 2), at(2, 2)], [LINE, 128, LINE, LINE]);
    }
}
