//! The picture: how far one update moves the output by depth, both logarithmic, one panel an optimiser, one curve a scheme.

use plotters::coord::Shift;
use plotters::prelude::*;

use super::{DepthReport, SchemeReport};
use crate::picture::{
    Curve, INK, LogAxis, PictureError, Problem, TEXT_SIZE, legend, log_log, svg, text, title, width,
};

const HEIGHT: u32 = 480;
const PANEL: u32 = 400;
const HEAD: u32 = 64;

/// The picture of a report as SVG.
///
/// # Errors
/// [`PictureError::Draw`] if nothing was measured, or with what the drawing library says.
pub fn chart(report: &DepthReport) -> Result<String, PictureError> {
    let panels = report.schemes.first().map_or(0, |scheme| scheme.updates.len() / 2);
    let curves: Vec<Vec<Curve>> =
        (0..panels).map(|panel| report.schemes.iter().map(|scheme| curve(scheme, panel)).collect()).collect();
    if curves.iter().flatten().all(|curve| curve.points.is_empty()) {
        return Err(PictureError::draw("nothing was measured"));
    }
    let labels: Vec<&str> = report.schemes.iter().map(|scheme| scheme.scheme.as_str()).collect();
    let widest = labels.iter().copied().map(width).max().unwrap_or(0) + 70;
    svg((PANEL * panels as u32 + widest as u32, HEIGHT), |root| {
        head(root, report)?;
        let (_, rest) = root.split_vertically(HEAD);
        let (plots, side) = rest.split_horizontally(PANEL * panels as u32);
        // One scale for all panels, so that they can be compared.
        let all = curves.iter().flatten().flat_map(|curve| &curve.points).map(|point| point.1);
        let all: Vec<f64> = all.collect();
        for (panel, area) in plots.split_evenly((1, panels)).iter().enumerate() {
            let update = &report.schemes[0].updates[2 * panel];
            let heading = format!("{}, learning rate {}", update.optimizer, update.learning_rate);
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
    Curve { points: points.into_iter().flatten().filter(|&(_, moved)| moved > 0.0).collect(), ring: None }
}

fn head(root: &DrawingArea<SVGBackend, Shift>, report: &DepthReport) -> Result<(), Problem> {
    let heading = format!("One update of {} blocks of width {} by depth", report.mixer, report.width);
    let subtitle = "movement of the final vectors relative to their size, norms frozen; flat: an update means as much at any depth";
    title(root, &heading, subtitle)
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
    log_log(area, (blocks, moved), "blocks", 22, curves)
}
