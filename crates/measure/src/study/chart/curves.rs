//! Learning curves: one line per group with a band from the smallest to the largest run.

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::picture::{FAINT, GRID, INK, Problem, TEXT_SIZE, airy, legend, stroke, text, tick, title, width};
use crate::study::error::StudyError;
use crate::study::metric::{Metric, Source};
use crate::study::results::Study;

use super::appearance::appearances;
use super::picture;
use super::series::{Point, band, below, ceiling, curve};

const HEIGHT: u32 = 520;
const PLOT_WIDTH: u32 = 720;
const HEAD: u32 = 64;

/// The picture of the first metric that is logged over time.
pub(in crate::study) fn curves(study: &Study) -> Result<Option<String>, StudyError> {
    let Some(metric) = study.metrics.iter().find(|metric| metric.source != Source::Report) else {
        return Ok(None);
    };
    let curves: Vec<Vec<Point>> = study.groups.iter().map(|group| curve(group, metric)).collect();
    if curves.iter().all(Vec::is_empty) {
        return Ok(None);
    }
    let labels: Vec<String> = study.groups.iter().map(|group| group.label()).collect();
    let heading = study.axes.join(" · ");
    let legend = labels.iter().chain([&heading]).map(|label| width(label)).max().unwrap_or(0) + 70;
    picture("curves.svg", (PLOT_WIDTH + legend as u32, HEIGHT), |root| {
        head(root, study, metric)?;
        let (_, rest) = root.split_vertically(HEAD);
        let (plot, side) = rest.split_horizontally(PLOT_WIDTH);
        let strokes = appearances(&study.groups);
        draw(&plot, &curves, &strokes)?;
        draw_legend(&side, &heading, (&labels, &strokes), &curves)
    })
    .map(Some)
}

fn head(root: &DrawingArea<SVGBackend, Shift>, study: &Study, metric: &Metric) -> Result<(), Problem> {
    let lines = match metric.source {
        Source::Train => "training",
        Source::Eval => "evaluation",
        Source::Any | Source::Report => "all lines",
    };
    let several = study.groups.iter().any(|group| group.finished().count() > 1);
    let runs = if several { ": mean of the runs, band from lowest to highest" } else { "" };
    let subtitle = format!("{} ({lines}) by step{runs}", metric.field);
    title(root, &study.title, &subtitle)
}

fn draw(
    area: &DrawingArea<SVGBackend, Shift>,
    curves: &[Vec<Point>],
    strokes: &[usize],
) -> Result<(), Problem> {
    let points = || curves.iter().flatten();
    let last = points().map(|point| point.step).fold(1.0, f64::max);
    let lowest = points().map(|point| point.low).fold(f64::INFINITY, f64::min);
    let (bottom, top) = airy(lowest, ceiling(curves), 0.05);
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .margin_left(6)
        .x_label_area_size(46)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..last, bottom..top)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(FAINT)
        .x_labels(8)
        .y_labels(7)
        .label_style(text(TEXT_SIZE, INK))
        .x_desc("step")
        .x_label_formatter(&|value| tick(*value, last / 8.0))
        .y_label_formatter(&|value| tick(*value, (top - bottom) / 7.0))
        .draw()?;
    for (&index, points) in strokes.iter().zip(curves) {
        if points.iter().any(|p| p.high > p.low) {
            chart.draw_series([Polygon::new(band(points, top), stroke(index).0.mix(0.16).filled())])?;
        }
    }
    for (&index, points) in strokes.iter().zip(curves) {
        let line: Vec<(f64, f64)> = points.iter().map(|p| (p.step, p.mean)).collect();
        let (color, dash) = stroke(index);
        for piece in below(&line, top) {
            match (dash, piece.as_slice()) {
                (_, [point]) => {
                    chart.draw_series([Circle::new(*point, 3, color.filled())])?;
                }
                (None, _) => {
                    chart.draw_series(LineSeries::new(piece, color.stroke_width(2)))?;
                }
                (Some(dash), _) => {
                    chart.draw_series(DashedLineSeries::new(piece, dash, 4, color.stroke_width(2)))?;
                }
            }
        }
    }
    Ok(())
}

/// The groups in the order in which their lines end, from top to bottom.
fn draw_legend(
    area: &DrawingArea<SVGBackend, Shift>,
    heading: &str,
    (labels, strokes): (&[String], &[usize]),
    curves: &[Vec<Point>],
) -> Result<(), Problem> {
    let mut order: Vec<usize> = (0..labels.len()).filter(|index| !curves[*index].is_empty()).collect();
    let end = |index: &usize| curves[*index].last().map_or(0.0, |point| point.mean);
    order.sort_by(|a, b| end(b).total_cmp(&end(a)));
    legend(area, heading, order.into_iter().map(|index| (strokes[index], labels[index].as_str())))
}
