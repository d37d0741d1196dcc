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

/// A PNG of images `[n, h, w, c]` in [−1, 1], `columns` in a row, enlarged to be seen.
///
/// # Errors
/// What the encoder says.
///
/// # Panics
/// If there are neither 1 nor 3 channels, or no columns.
pub fn sample_grid(samples: &Tensor<4>, columns: usize) -> Result<Vec<u8>, String> {
    let [count, height, width, channels] = samples.dims();
    let rows = count.div_ceil(columns);
    let values: Vec<f32> = samples.to_data().iter().collect();
    let zoom = (LEGIBLE / (columns * width).max(rows * height)).clamp(1, 8);
    let (wide, high) = (columns * width * zoom, rows * height * zoom);
    let mut pixels = vec![0u8; wide * high * channels];
    for y in 0..high {
        for x in 0..wide {
            let (down, right) = (y / zoom, x / zoom);
            let sample = down / height * columns + right / width;
            if sample >= count {
                continue;
            }
            let from = ((sample * height + down % height) * width + right % width) * channels;
            for channel in 0..channels {
                let value = (values[from + channel] + 1.0) * 127.5;
                pixels[(y * wide + x) * channels + channel] = value.round().clamp(0.0, 255.0) as u8;
            }
        }
    }
    encode_png(&pixels, wide, high, channels)
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
