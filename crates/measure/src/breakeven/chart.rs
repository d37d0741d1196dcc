//! The picture: time of a token against length, both logarithmic, one curve a mixer.

use plotters::coord::Shift;
use plotters::prelude::*;

use super::{BreakevenReport, Crossing, MixerReport};
use crate::picture::{Curve, LogAxis, PictureError, Problem, legend, log_log, svg, title, width};

const HEIGHT: u32 = 520;
const PLOT_WIDTH: u32 = 720;
const HEAD: u32 = 64;

/// The picture of a report as SVG. Rings mark where a mixer is as fast as softmax attention.
///
/// # Errors
/// [`PictureError::Draw`] if nothing was measured, or with what the drawing library says.
pub fn chart(report: &BreakevenReport) -> Result<String, PictureError> {
    let mut curves: Vec<Curve> = report.mixers.iter().map(curve).collect();
    if curves.iter().all(|curve| curve.points.is_empty()) {
        return Err(PictureError::draw("nothing was measured"));
    }
    for index in 1..curves.len() {
        curves[index].ring = ring(&report.mixers[index], &curves[0].points);
    }
    let labels: Vec<String> = report.mixers.iter().map(label).collect();
    let heading = "cheaper at n";
    let widest = labels.iter().map(String::as_str).chain([heading]).map(width).max().unwrap_or(0) + 70;
    svg((PLOT_WIDTH + widest as u32, HEIGHT), |root| {
        head(root, report)?;
        let (_, rest) = root.split_vertically(HEAD);
        let (plot, side) = rest.split_horizontally(PLOT_WIDTH);
        draw(&plot, report, &curves)?;
        legend(&side, heading, labels.iter().map(String::as_str).enumerate())
    })
    .map_err(PictureError::draw)
}

/// Length and microseconds of a token.
fn curve(mixer: &MixerReport) -> Curve {
    let point = |point: &super::Point| {
        let time = point.measured?.microseconds;
        (time > 0.0 && time.is_finite()).then_some((point.length as f64, time))
    };
    Curve { points: mixer.points.iter().filter_map(point).collect(), ring: None }
}

/// The mixer's name, and its crossing where there is one.
fn label(mixer: &MixerReport) -> String {
    match (&mixer.unavailable, mixer.time) {
        (Some(_), _) => format!("{}: not measured", mixer.mixer),
        (None, Some(crossing)) => format!("{}: {crossing}", mixer.mixer),
        (None, None) => mixer.mixer.to_owned(),
    }
}

fn head(root: &DrawingArea<SVGBackend, Shift>, report: &BreakevenReport) -> Result<(), Problem> {
    let direction = if report.causal { "causal" } else { "both sides seen" };
    let heading = format!("One block of width {}, {} heads, {direction}", report.width, report.shape.heads);
    let subtitle =
        "microseconds of a token by length, forward and backward; rings: as fast as softmax attention";
    title(root, &heading, subtitle)
}

fn draw(
    area: &DrawingArea<SVGBackend, Shift>,
    report: &BreakevenReport,
    curves: &[Curve],
) -> Result<(), Problem> {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let lengths = LogAxis::marked(points().map(|point| point.0), &report.lengths);
    let times = LogAxis::around(points().map(|point| point.1));
    log_log(area, (lengths, times), "length", 12, curves)
}

/// Where a mixer crosses softmax attention, on the curve of the latter.
fn ring(mixer: &MixerReport, softmax: &[(f64, f64)]) -> Option<(f64, f64)> {
    let Some(Crossing::Above { length } | Crossing::Below { length }) = mixer.time else { return None };
    let x = length as f64;
    let pair = softmax.windows(2).find(|pair| pair[0].0 <= x && x <= pair[1].0)?;
    let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
    Some((x, y0 * (y1 / y0).powf((x / x0).ln() / (x1 / x0).ln())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_lie_on_the_curve_of_softmax_attention() {
        let mixer = |time| MixerReport {
            mixer: "gau",
            layers: 2,
            channel_mixer: false,
            unavailable: None,
            formula: None,
            counted: None,
            time,
            memory: None,
            points: Vec::new(),
        };
        let softmax = [(100.0, 1.0), (400.0, 4.0), (1600.0, 64.0)];
        // 800 is halfway from 400 to 1600, and 16 from 4 to 64.
        let (x, y) = ring(&mixer(Some(Crossing::Above { length: 800 })), &softmax).expect("a crossing");
        assert!(x == 800.0 && (y - 16.0).abs() < 1e-12);
        assert_eq!(ring(&mixer(Some(Crossing::NoneMeasured)), &softmax), None);
        assert_eq!(label(&mixer(Some(Crossing::Below { length: 100 }))), "gau: below 100");
    }
}
