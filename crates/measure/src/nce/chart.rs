//! The picture: the share of the gradient that is lost by how far the positive is ahead, one panel a format.

use mixlab_kernels::RowLoss;
use plotters::coord::Shift;
use plotters::prelude::*;

use super::format::Format;
use super::report::{FormatReport, NceReport};
use crate::picture::{
    Curve, INK, LogAxis, PictureError, Problem, TEXT_SIZE, legend, log_log, svg, text, title, width,
};

const HEIGHT: u32 = 480;
const PANEL: u32 = 400;
const HEAD: u32 = 64;

/// A number of a format's report.
type Measure = fn(&FormatReport) -> f64;

/// What is drawn of each case, and its name.
const CURVES: [(&str, Measure); 4] = [
    ("naive, step by step", |report| report.stepwise.of(RowLoss::NaiveInfoNce).lost),
    ("naive, wide sums", |report| report.kernel.of(RowLoss::NaiveInfoNce).lost),
    ("exact", |report| report.kernel.of(RowLoss::InfoNce).lost),
    ("FlatNCE", |report| report.kernel.of(RowLoss::FlatNce).lost),
];

/// The picture of a report as SVG.
///
/// # Errors
/// [`PictureError::Draw`] with what the drawing library says, or if nothing was lost anywhere.
pub fn chart(report: &NceReport) -> Result<String, PictureError> {
    let panels: Vec<Vec<Curve>> = (0..Format::ALL.len()).map(|format| curves(report, format)).collect();
    let points: Vec<(f64, f64)> =
        panels.iter().flatten().flat_map(|curve| curve.points.iter().copied()).collect();
    if points.is_empty() {
        return Err(PictureError::draw("nothing was lost"));
    }
    let plots_width = PANEL * panels.len() as u32;
    let widest = CURVES.iter().map(|(name, _)| width(name)).max().unwrap_or(0) + 70;
    svg((plots_width + widest as u32, HEIGHT), |root| {
        head(root, report)?;
        let (_, rest) = root.split_vertically(HEAD);
        let (plots, side) = rest.split_horizontally(plots_width);
        for ((area, format), curves) in
            plots.split_evenly((1, panels.len())).iter().zip(Format::ALL).zip(&panels)
        {
            area.draw(&Text::new(format.to_string(), (72, 6), text(TEXT_SIZE, INK)))?;
            // One scale for all panels, so that they can be compared.
            let ahead = LogAxis::around(points.iter().map(|point| point.0));
            let lost = LogAxis::around(points.iter().map(|point| point.1));
            log_log(area, (ahead, lost), "1/ξ", 22, curves)?;
        }
        legend(&side, "loss", CURVES.iter().map(|(name, _)| *name).enumerate())
    })
    .map_err(PictureError::draw)
}

/// The losses in one format, from the hardest case to the easiest.
fn curves(report: &NceReport, format: usize) -> Vec<Curve> {
    let curve = |lost: fn(&FormatReport) -> f64| {
        let point = |case: &super::CaseReport| (1.0 / case.xi, lost(&case.formats[format]));
        let mut points: Vec<(f64, f64)> = report.cases.iter().map(point).collect();
        points.retain(|&(ahead, lost)| lost > 0.0 && ahead.is_finite());
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        Curve { points, ring: None }
    };
    CURVES.map(|(_, lost)| curve(lost)).into()
}

fn head(root: &DrawingArea<SVGBackend, Shift>, report: &NceReport) -> Result<(), Problem> {
    let heading = "What rounding takes from the gradient of a contrastive loss";
    let subtitle = format!(
        "share of the gradient by the scores that is lost, mean of {} draws; to the right the positive is further ahead",
        report.draws
    );
    title(root, heading, &subtitle)
}
