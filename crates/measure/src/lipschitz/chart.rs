//! The picture: secants by radius on the left, the critic over the run on the right, all logarithmic.

use plotters::coord::Shift;
use plotters::prelude::*;

use super::LipschitzReport;
use crate::picture::{
    Curve, INK, LogAxis, PictureError, Problem, TEXT_SIZE, legend, log_log, svg, text, title, width,
};

const HEIGHT: u32 = 480;
const PANEL: u32 = 420;
const HEAD: u32 = 64;

/// The picture of a report as SVG.
///
/// # Errors
/// [`PictureError::Draw`] with what the drawing library says, or if nothing was measured.
pub fn chart(report: &LipschitzReport) -> Result<String, PictureError> {
    let (secants, names) = secants(report);
    if secants.iter().all(|curve| curve.points.is_empty()) {
        return Err(PictureError::draw("all secants are 0"));
    }
    let over_time = over_time(report);
    let panels = if over_time.iter().any(|curve| !curve.points.is_empty()) { 2 } else { 1 };
    let widest = names.iter().map(|name| width(name)).max().unwrap_or(0) + 70;
    svg((PANEL * panels + widest as u32, HEIGHT), |root| {
        head(root, report)?;
        let (_, rest) = root.split_vertically(HEAD);
        let (plots, side) = rest.split_horizontally(PANEL * panels);
        let areas = plots.split_evenly((1, panels as usize));
        panel(&areas[0], "greatest and median secant by radius", "radius", &secants)?;
        if let Some(area) = areas.get(1) {
            panel(area, "critic over the run", "updates", &over_time)?;
        }
        legend(&side, "", names.iter().map(String::as_str).enumerate())
    })
    .map_err(PictureError::draw)
}

/// The greatest and the median secant of every place, with their names; then those of the run.
fn secants(report: &LipschitzReport) -> (Vec<Curve>, Vec<String>) {
    let (mut curves, mut names) = (Vec::new(), Vec::new());
    for place in &report.places {
        let greatest = place.secants.iter().map(|secant| (secant.radius, secant.slopes.greatest));
        let median = place.secants.iter().map(|secant| (secant.radius, secant.slopes.median));
        for (name, points) in
            [("greatest", greatest.collect::<Vec<_>>()), ("median", median.collect::<Vec<_>>())]
        {
            let points = points.into_iter().filter(|&(_, slope)| slope > 0.0).collect();
            curves.push(Curve { points, ring: None });
            names.push(format!("{}, {name} (left)", place.place));
        }
    }
    names.extend(["median ‖∇f‖ (right)".to_owned(), "‖θ‖ (right)".to_owned()]);
    (curves, names)
}

/// Placed behind the curves of the left panel, so that colours differ.
fn over_time(report: &LipschitzReport) -> Vec<Curve> {
    let curve = |points: Vec<(f64, f64)>| Curve {
        points: points.into_iter().filter(|&(_, value)| value > 0.0 && value.is_finite()).collect(),
        ring: None,
    };
    let none = (0..2 * report.places.len()).map(|_| curve(Vec::new()));
    let slopes = report.history.iter().filter_map(|point| Some((point.step as f64, point.critic_slope?)));
    let norms = report.history.iter().map(|point| (point.step as f64, point.critic_norm));
    none.chain([curve(slopes.collect()), curve(norms.collect())]).collect()
}

fn head(root: &DrawingArea<SVGBackend, Shift>, report: &LipschitzReport) -> Result<(), Problem> {
    let heading = format!("How steep a critic under {} is", report.constraint.replace('_', " "));
    let steepest = report.places.iter().map(|place| place.slopes.greatest).fold(0.0, f64::max);
    let subtitle = format!("almost everywhere no slope is above {steepest:.3}; a secant may cross kinks");
    title(root, &heading, &subtitle)
}

fn panel(
    area: &DrawingArea<SVGBackend, Shift>,
    heading: &str,
    axis: &str,
    curves: &[Curve],
) -> Result<(), Problem> {
    area.draw(&Text::new(heading.to_owned(), (72, 6), text(TEXT_SIZE, INK)))?;
    let of = |value: fn(&(f64, f64)) -> f64| {
        curves.iter().flat_map(|curve| &curve.points).map(value).collect::<Vec<_>>()
    };
    let along = LogAxis::around(of(|point| point.0).into_iter()).by_powers();
    let up = LogAxis::around(of(|point| point.1).into_iter());
    log_log(area, (along, up), axis, 22, curves)
}
