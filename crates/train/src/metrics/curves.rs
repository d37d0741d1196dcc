//! `curves.svg`: loss, learning rate and speed over the run, one below the other.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::{MetricsLine, Split};
use crate::{TrainError, storage};

type Points = Vec<(f64, f64)>;
type Failure = Box<dyn std::error::Error>;

const TRAIN: RGBColor = RGBColor(31, 119, 180);
const EVAL: RGBColor = RGBColor(214, 39, 40);
const SIZE: (u32, u32) = (900, 900);

/// Draws the curves of a run.
///
/// # Errors
/// [`TrainError::Picture`] or [`TrainError::Write`].
pub fn draw_curves(path: &Path, lines: &[MetricsLine]) -> Result<(), TrainError> {
    let picture = render(lines)
        .map_err(|error| TrainError::Picture { path: path.to_owned(), message: error.to_string() })?;
    storage::write_atomic(path, picture.as_bytes())
}

fn render(lines: &[MetricsLine]) -> Result<String, Failure> {
    let points = |split: Split, value: fn(&MetricsLine) -> Option<f64>| -> Points {
        let of_split = lines.iter().filter(|line| line.split == split);
        let point = |line: &MetricsLine| value(line).map(|value| (line.step as f64, value));
        of_split.filter_map(point).filter(|(_, value)| value.is_finite()).collect()
    };
    let loss = [("train", points(Split::Train, |l| l.loss)), ("eval", points(Split::Eval, |l| l.loss))];
    let rate = [("", points(Split::Train, |line| line.learning_rate))];
    let speed = [("", points(Split::Train, |line| Some(line.tokens_per_second)))];
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let panels = area.split_evenly((3, 1));
        let adversarial = lines.iter().any(|line| line.adversarial.is_some());
        let title = if adversarial { "loss of the critic, energy distance" } else { "loss (nats per token)" };
        panel(&panels[0], title, &loss, false)?;
        panel(&panels[1], "learning rate", &rate, true)?;
        panel(&panels[2], "tokens per second", &speed, true)?;
        area.present()?;
    }
    Ok(svg)
}

fn panel(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    title: &str,
    series: &[(&str, Points)],
    from_zero: bool,
) -> Result<(), Failure> {
    let all = || series.iter().flat_map(|(_, points)| points);
    let last = all().map(|point| point.0).fold(1.0, f64::max);
    let low = all().map(|point| point.1).fold(f64::INFINITY, f64::min);
    let high = all().map(|point| point.1).fold(f64::NEG_INFINITY, f64::max);
    if low > high {
        return Ok(());
    }
    let low = if from_zero { 0.0 } else { low };
    let margin = if high > low { 0.05 * (high - low) } else { high.abs().max(1e-9) * 0.05 };
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18))
        .margin(10)
        .x_label_area_size(28)
        .y_label_area_size(80)
        .build_cartesian_2d(0.0..last, low..high + margin)?;
    chart
        .configure_mesh()
        .x_desc("step")
        .x_label_formatter(&|step| format!("{step:.0}"))
        .y_label_formatter(&|value| short(*value))
        .light_line_style(WHITE)
        .draw()?;
    for ((name, points), colour) in series.iter().zip([TRAIN, EVAL]) {
        let drawn = chart.draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?;
        if !name.is_empty() && !points.is_empty() {
            drawn
                .label(*name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        }
    }
    if series.len() > 1 {
        chart.configure_series_labels().background_style(WHITE).border_style(BLACK).draw()?;
    }
    Ok(())
}

/// A number for an axis: three significant digits, exponents only where they are shorter.
fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        size if size < 1e-2 => format!("{value:.1e}"),
        size if size < 100.0 => format!("{value:.2}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(step: u64, split: Split, loss: f64) -> MetricsLine {
        MetricsLine {
            step,
            split,
            loss: Some(loss),
            bits_per_byte: None,
            accuracy: None,
            monitors: None,
            geometry: None,
            terms: None,
            usage: None,
            adversarial: None,
            energy_distance: None,
            modes: None,
            steepness: None,
            learning_rate: (split == Split::Train).then_some(1e-3),
            grad_norm: None,
            skipped: None,
            tokens: step,
            seconds: 1.0,
            tokens_per_second: 1000.0,
        }
    }

    #[test]
    fn three_panels_with_one_line_a_series() {
        let lines: Vec<_> = (1..20)
            .flat_map(|step| [line(step, Split::Train, 5.0 / step as f64), line(step, Split::Eval, 2.0)])
            .collect();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("curves.svg");
        draw_curves(&path, &lines).unwrap();
        let svg = std::fs::read_to_string(&path).unwrap();
        for text in ["loss (nats per token)", "learning rate", "tokens per second", "train", "eval"] {
            assert!(svg.contains(text), "{text}");
        }
        assert!(svg.contains("#1F77B4") && svg.contains("#D62728"));
    }

    #[test]
    fn nothing_to_draw_is_no_error() {
        assert!(render(&[]).is_ok());
        assert!(render(&[line(1, Split::Train, f64::NAN)]).is_ok());
    }
}
