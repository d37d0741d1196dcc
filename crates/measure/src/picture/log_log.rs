//! Curves over two logarithmic axes.

use plotters::coord::Shift;
use plotters::prelude::*;

use super::{FAINT, GRID, INK, LogAxis, Problem, TEXT_SIZE, stroke, text, tick};

/// A curve's points, and a point of it that gets a ring.
#[derive(Clone, Debug, Default)]
pub(crate) struct Curve {
    pub points: Vec<(f64, f64)>,
    pub ring: Option<(f64, f64)>,
}

/// A number whose digits would take too much room, as a power of ten.
fn extreme(value: f64) -> Option<String> {
    (!(1e-4..1e7).contains(&value)).then(|| format!("{value:.0e}"))
}

/// Draws the axes and every curve with its stroke. `top` pixels stay free above.
pub(crate) fn log_log(
    area: &DrawingArea<SVGBackend, Shift>,
    (x, y): (LogAxis, LogAxis),
    x_name: &str,
    top: u32,
    curves: &[Curve],
) -> Result<(), Problem> {
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .margin_top(top)
        .margin_left(6)
        .x_label_area_size(46)
        .y_label_area_size(64)
        .build_cartesian_2d(x, y)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(FAINT)
        .label_style(text(TEXT_SIZE, INK))
        .x_desc(x_name)
        .x_label_formatter(&|value| extreme(*value).unwrap_or_else(|| tick(*value, *value)))
        .y_label_formatter(&|value| extreme(*value).unwrap_or_else(|| tick(*value, *value)))
        .draw()?;
    for (index, Curve { points, ring }) in curves.iter().enumerate() {
        let (color, dash) = stroke(index);
        let style = color.stroke_width(2);
        match dash {
            None => chart.draw_series(LineSeries::new(points.iter().copied(), style))?,
            Some(dash) => chart.draw_series(DashedLineSeries::new(points.iter().copied(), dash, 4, style))?,
        };
        chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, color.filled())))?;
        if let Some(ring) = ring {
            chart.draw_series([Circle::new(*ring, 7, color.stroke_width(2))])?;
        }
    }
    Ok(())
}
