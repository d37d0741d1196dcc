//! The picture: time of a token against length, both logarithmic, one curve a mixer.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::prelude::*;

use super::{BreakevenError, BreakevenReport, Crossing, MixerReport};
use crate::picture::{
    FAINT, GRID, INK, Problem, TEXT_SIZE, TITLE_SIZE, airy, legend, stroke, svg, text, tick, width,
};

const HEIGHT: u32 = 520;
const PLOT_WIDTH: u32 = 720;
const HEAD: u32 = 64;
/// Air on both sides of the data, as a share of the range of its logarithm.
const AIR: f64 = 0.06;

/// Length and microseconds of a token.
type Curve = Vec<(f64, f64)>;

/// A logarithmic axis with its own marks.
struct LogAxis {
    range: Range<f64>,
    marks: Vec<f64>,
}

impl LogAxis {
    /// With some air around the smallest and largest value, and the marks that lie on it.
    fn around(values: impl Iterator<Item = f64> + Clone, marks: fn(&Range<f64>) -> Vec<f64>) -> Self {
        let logarithms = values.map(f64::ln);
        let (low, high) = airy(
            logarithms.clone().fold(f64::INFINITY, f64::min),
            logarithms.fold(f64::NEG_INFINITY, f64::max),
            AIR,
        );
        let range = low.exp()..high.exp();
        LogAxis { marks: marks(&range), range }
    }

    /// Where a value lies, 0 at the lower end and 1 at the upper one.
    fn share(&self, value: f64) -> f64 {
        (value / self.range.start).ln() / (self.range.end / self.range.start).ln()
    }
}

impl Ranged for LogAxis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (first, last): (i32, i32)) -> i32 {
        first + (f64::from(last - first) * self.share(*value)).round() as i32
    }

    fn key_points<H: KeyPointHint>(&self, hint: H) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.marks.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

/// The picture of a report as SVG. Rings mark where a mixer falls below softmax attention.
///
/// # Errors
/// [`BreakevenError::Draw`] if nothing was measured, or with what the drawing library says.
pub fn chart(report: &BreakevenReport) -> Result<String, BreakevenError> {
    let curves: Vec<Curve> = report.mixers.iter().map(curve).collect();
    if curves.iter().all(Vec::is_empty) {
        return Err(BreakevenError::Draw { problem: "nothing was measured".to_owned() });
    }
    let labels: Vec<String> = report.mixers.iter().map(label).collect();
    let heading = "cheaper above n =";
    let widest = labels.iter().map(String::as_str).chain([heading]).map(width).max().unwrap_or(0) + 70;
    svg((PLOT_WIDTH + widest as u32, HEIGHT), |root| {
        title(root, report)?;
        let (_, rest) = root.split_vertically(HEAD);
        let (plot, side) = rest.split_horizontally(PLOT_WIDTH);
        draw(&plot, report, &curves)?;
        legend(&side, heading, labels.iter().map(String::as_str).enumerate())
    })
    .map_err(|problem| BreakevenError::Draw { problem: problem.to_string() })
}

fn curve(mixer: &MixerReport) -> Curve {
    let point = |point: &super::Point| {
        let time = point.measured?.microseconds;
        (time > 0.0 && time.is_finite()).then_some((point.length as f64, time))
    };
    mixer.points.iter().filter_map(point).collect()
}

/// The mixer's name, and its crossing where there is one.
fn label(mixer: &MixerReport) -> String {
    match (&mixer.unavailable, mixer.time) {
        (Some(_), _) => format!("{}: not measured", mixer.mixer),
        (None, Some(crossing)) => format!("{}: {crossing}", mixer.mixer),
        (None, None) => mixer.mixer.to_owned(),
    }
}

fn title(root: &DrawingArea<SVGBackend, Shift>, report: &BreakevenReport) -> Result<(), Problem> {
    let direction = if report.causal { "causal" } else { "both sides seen" };
    let heading = format!("One block of width {}, {} heads, {direction}", report.width, report.shape.heads);
    root.draw(&Text::new(heading, (16, 20), text(TITLE_SIZE, INK)))?;
    let subtitle =
        "microseconds of a token by length, forward and backward; rings: as fast as softmax attention";
    root.draw(&Text::new(subtitle, (16, 44), text(TEXT_SIZE, FAINT)))?;
    Ok(())
}

fn draw(
    area: &DrawingArea<SVGBackend, Shift>,
    report: &BreakevenReport,
    curves: &[Curve],
) -> Result<(), Problem> {
    let points = || curves.iter().flatten();
    let mut lengths = LogAxis::around(points().map(|point| point.0), |_| Vec::new());
    lengths.marks = apart(&lengths, &report.lengths);
    let times = LogAxis::around(points().map(|point| point.1), round_numbers);
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .margin_left(6)
        .x_label_area_size(46)
        .y_label_area_size(64)
        .build_cartesian_2d(lengths, times)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(FAINT)
        .label_style(text(TEXT_SIZE, INK))
        .x_desc("length")
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
        if let Some(crossing) = ring(&report.mixers[index], &curves[0]) {
            chart.draw_series([Circle::new(crossing, 7, color.stroke_width(2))])?;
        }
    }
    Ok(())
}

/// Where a mixer crosses softmax attention, on the curve of the latter.
fn ring(mixer: &MixerReport, softmax: &[(f64, f64)]) -> Option<(f64, f64)> {
    let Some(Crossing::Above { length }) = mixer.time else { return None };
    let x = length as f64;
    let pair = softmax.windows(2).find(|pair| pair[0].0 <= x && x <= pair[1].0)?;
    let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
    Some((x, y0 * (y1 / y0).powf((x / x0).ln() / (x1 / x0).ln())))
}

/// Those of the sorted lengths that are far enough apart for their labels not to meet.
fn apart(axis: &LogAxis, lengths: &[usize]) -> Vec<f64> {
    let mut kept: Vec<f64> = Vec::new();
    for length in lengths.iter().map(|&length| length as f64) {
        if kept.last().is_none_or(|&last| axis.share(length) - axis.share(last) >= 1.0 / 14.0) {
            kept.push(length);
        }
    }
    kept
}

/// The numbers 1, 2 and 5 times a power of ten in a range.
fn round_numbers(range: &Range<f64>) -> Vec<f64> {
    let powers = range.start.log10().floor() as i32..=range.end.log10().ceil() as i32;
    let all = powers.flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powi(power)));
    all.filter(|value| range.contains(value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_logarithmic_axes() {
        assert_eq!(round_numbers(&(3.0..120.0)), [5.0, 10.0, 20.0, 50.0, 100.0]);
        let axis = LogAxis { range: 1.0..10_000.0, marks: Vec::new() };
        assert_eq!(apart(&axis, &[1, 2, 3, 4, 100, 110, 1000]), [1.0, 2.0, 4.0, 100.0, 1000.0]);
        assert_eq!([1.0, 100.0, 10_000.0].map(|value| axis.map(&value, (50, 250))), [50, 150, 250]);
        let one = LogAxis::around([7.0].into_iter(), round_numbers);
        assert!(one.range.contains(&7.0) && one.share(7.0) > 0.4 && one.share(7.0) < 0.6);
    }

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
        assert_eq!(ring(&mixer(Some(Crossing::BeyondLongest { length: 1600 })), &softmax), None);
        assert_eq!(label(&mixer(Some(Crossing::BelowShortest { length: 100 }))), "gau: below 100");
    }
}
