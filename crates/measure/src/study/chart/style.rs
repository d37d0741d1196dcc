//! One look for all pictures.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::study::error::StudyError;

/// Okabe and Ito's palette, told apart with every common form of colour blindness; its yellow is
/// left out, being invisible on white.
const PALETTE: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(60, 60, 60),
];

pub(super) const INK: RGBColor = RGBColor(40, 40, 40);
pub(super) const FAINT: RGBColor = RGBColor(110, 110, 110);
pub(super) const GRID: RGBColor = RGBColor(225, 225, 225);
pub(super) const TITLE_SIZE: u32 = 19;
pub(super) const TEXT_SIZE: u32 = 14;

/// The colour of a group, and how long its dashes are: after seven groups the colours return with
/// another line.
pub(super) fn stroke(group: usize) -> (RGBColor, Option<i32>) {
    let dash = match group / PALETTE.len() {
        0 => None,
        1 => Some(8),
        _ => Some(3),
    };
    (PALETTE[group % PALETTE.len()], dash)
}

/// Text that starts at its point and is centred on its height.
pub(super) fn text(size: u32, color: RGBColor) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&color).pos(Pos::new(HPos::Left, VPos::Center))
}

/// As [`text`], ending at its point.
pub(super) fn text_right(size: u32, color: RGBColor) -> TextStyle<'static> {
    text(size, color).pos(Pos::new(HPos::Right, VPos::Center))
}

/// A generous guess of a text's width in pixels: the SVG's reader chooses the font.
pub(super) fn width(label: &str) -> i32 {
    (label.chars().count() as f64 * f64::from(TEXT_SIZE) * 0.56).ceil() as i32
}

/// A tick's number without noise: `1500`, `20k`, `0.25`.
pub(super) fn tick(value: f64, step: f64) -> String {
    if value.abs() >= 1e6 {
        format!("{}M", trimmed(value / 1e6, 3))
    } else if value.abs() >= 1e4 {
        format!("{}k", trimmed(value / 1e3, 3))
    } else {
        let decimals = (-step.abs().max(1e-12).log10().floor()).clamp(0.0, 8.0) as usize;
        trimmed(value, decimals + 1)
    }
}

fn trimmed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// A range with some air on both sides, also around a single value.
pub(super) fn airy(low: f64, high: f64, share: f64) -> (f64, f64) {
    let span = if high > low { high - low } else { low.abs().max(1e-6) * 0.1 };
    (low - share * span, high + share * span)
}

/// Draws a picture of the given size into a string.
pub(super) fn svg(
    name: &str,
    size: (u32, u32),
    draw: impl FnOnce(&DrawingArea<SVGBackend, plotters::coord::Shift>) -> Result<(), Problem>,
) -> Result<String, StudyError> {
    let mut text = String::new();
    let wrap = |problem: Problem| StudyError::Draw { name: name.to_owned(), problem: problem.to_string() };
    {
        let root = SVGBackend::with_string(&mut text, size).into_drawing_area();
        root.fill(&WHITE).map_err(|error| wrap(error.into()))?;
        draw(&root).map_err(wrap)?;
        root.present().map_err(|error| wrap(error.into()))?;
    }
    Ok(text)
}

/// What the drawing library can say.
pub(super) type Problem = Box<dyn std::error::Error>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_short() {
        assert_eq!(tick(1500.0, 500.0), "1500");
        assert_eq!(tick(20_000.0, 5000.0), "20k");
        assert_eq!(tick(2_500_000.0, 5e5), "2.5M");
        assert_eq!(tick(0.25, 0.05), "0.25");
        assert_eq!(tick(2.0, 0.2), "2");
        assert_eq!(tick(-0.0, 0.2), "0");
    }

    #[test]
    fn strokes_stay_apart() {
        let strokes: Vec<_> = (0..14).map(stroke).collect();
        for (i, a) in strokes.iter().enumerate() {
            assert!(strokes[..i].iter().all(|b| a != b));
        }
    }
}
