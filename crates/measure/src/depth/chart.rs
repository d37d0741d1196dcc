//! The picture: how far one update moves the output by depth, both logarithmic, one panel an optimiser, one curve a scheme.

use plotters::coord::Shift;
use plotters::prelude::*;

use super::advice::name;
use super::{DepthReport, SchemeReport};
use crate::picture::{
    FAINT, GRID, INK, LogAxis, PictureError, Problem, TEXT_SIZE, TITLE_SIZE, legend, stroke, svg, text, tick,
    width,
};

const HEIGHT: u32 = 480;
const PANEL: u32 = 400;
const HEAD: u32 = 64;

/// Depth and movement.
type Curve = Vec<(f64, f64)>;

/// The picture of a report as SVG.
///
/// # Errors
/// [`PictureError::Draw`] if nothing was measured, or with what the drawing library says.
pub fn chart(report: &DepthReport) -> Result<String, PictureError> {
    let panels = report.schemes.first().map_or(0, |scheme| scheme.updates.len() / 2);
    let curves: Vec<Vec<Curve>> =
        (0..panels).map(|panel| report.schemes.iter().map(|scheme| curve(scheme, panel)).collect()).collect();
    if curves.iter().flatten().all(Vec::is_empty) {
        return Err(PictureError::draw("nothing was measured"));
    }
    let labels: Vec<&str> = report.schemes.iter().map(|scheme| scheme.scheme.as_str()).collect();
    let widest = labels.iter().copied().map(width).max().unwrap_or(0) + 70;
    svg((PANEL * panels as u32 + widest as u32, HEIGHT), |root| {
        title(root, report)?;
        let (_, rest) = root.split_vertically(HEAD);
        let (plots, side) = rest.split_horizontally(PANEL * panels as u32);
        // One scale for all panels, so that they can be compared.
        let all: Vec<f64> = curves.iter().flatten().flatten().map(|point| point.1).collect();
        for (panel, area) in plots.split_evenly((1, panels)).iter().enumerate() {
            let update = &report.schemes[0].updates[2 * panel];
            let heading = format!("{}, learning rate {}", name(update.optimizer), update.learning_rate);
            draw(area, &heading, &report.depths, &all, &curves[panel])?;
        }
        legend(&side, "residual scheme", labels.iter().copied().enumerate())
    })
    .map_err(PictureError::draw)
}

/// The movements of one scheme under one optimiser, norms frozen: they stand before those with trained norms.
fn curve(scheme: &SchemeReport, panel: usize) -> Curve {
    let point = |point: &super::Point| Some((point.depth as f64, point.first?));
    let points = scheme.updates.get(2 * panel).map(|update| update.points.iter().filter_map(point));
    points.into_iter().flatten().filter(|&(_, moved)| moved > 0.0).collect()
}

fn title(root: &DrawingArea<SVGBackend, Shift>, report: &DepthReport) -> Result<(), Problem> {
    let heading = format!("One update of {} blocks of width {} by depth", report.mixer, report.width);
    root.draw(&Text::new(heading, (16, 20), text(TITLE_SIZE, INK)))?;
    let subtitle = "movement of the final vectors relative to their size, norms frozen; flat: an update means as much at any depth";
    root.draw(&Text::new(subtitle, (16, 44), text(TEXT_SIZE, FAINT)))?;
    Ok(())
}

fn draw(
    area: &DrawingArea<SVGBackend, Shift>,
    heading: &str,
    depths: &[usize],
    movements: &[f64],
    curves: &[Curve],
) -> Result<(), Problem> {
    area.draw(&Text::new(heading.to_owned(), (72, 6), text(TEXT_SIZE, INK)))?;
    let blocks = LogAxis::marked(depths.iter().map(|&depth| depth as f64), depths);
    let moved = LogAxis::around(movements.iter().copied());
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .margin_top(22)
        .margin_left(6)
        .x_label_area_size(46)
        .y_label_area_size(64)
        .build_cartesian_2d(blocks, moved)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(FAINT)
        .label_style(text(TEXT_SIZE, INK))
        .x_desc("blocks")
        .x_label_formatter(&|value| format!("{value:.0}"))
        .y_label_formatter(&|value| tick(*value, *value))
        .draw()?;
    for (index, points) in curves.iter().enumerate() {
        let (color, dash) = stroke(index);
        let style = color.stroke_width(2);
        match dash {
            None => chart.draw_series(LineSeries::new(points.iter().copied(), style))?,
            Some(dash) => chart.draw_series(DashedLineSeries::new(points.iter().copied(), dash, 4, style))?,
        };
        chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, color.filled())))?;
    }
    Ok(())
}
