//! One look for all pictures.

mod axis;
mod file;
mod log_log;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

pub(crate) use axis::LogAxis;
pub use file::{PictureError, check_picture, write_picture};
pub(crate) use log_log::{Curve, log_log};

/// Colours, and kinds of lines.
pub(crate) const COLORS: usize = 7;
pub(crate) const DASHES: usize = 4;

/// Okabe and Ito's palette, told apart with every common form of colour blindness; its yellow is
/// left out, being invisible on white.
const PALETTE: [RGBColor; COLORS] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(60, 60, 60),
];

pub(crate) const INK: RGBColor = RGBColor(40, 40, 40);
pub(crate) const FAINT: RGBColor = RGBColor(110, 110, 110);
pub(crate) const GRID: RGBColor = RGBColor(225, 225, 225);
pub(crate) const TITLE_SIZE: u32 = 19;
pub(crate) const TEXT_SIZE: u32 = 14;
const LEGEND_LINE: i32 = 22;

/// The colour of a group, and how long its dashes are: after seven groups the colours return with
/// another line.
pub(crate) fn stroke(group: usize) -> (RGBColor, Option<i32>) {
    let dash = match group / PALETTE.len() {
        0 => None,
        1 => Some(8),
        2 => Some(3),
        _ => Some(16),
    };
    (PALETTE[group % PALETTE.len()], dash)
}

/// Text that starts at its point and is centred on its height.
pub(crate) fn text(size: u32, color: RGBColor) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&color).pos(Pos::new(HPos::Left, VPos::Center))
}

/// As [`text`], ending at its point.
pub(crate) fn text_right(size: u32, color: RGBColor) -> TextStyle<'static> {
    text(size, color).pos(Pos::new(HPos::Right, VPos::Center))
}

/// A generous guess of a text's width in pixels: the SVG's reader chooses the font.
pub(crate) fn width(label: &str) -> i32 {
    (label.chars().count() as f64 * f64::from(TEXT_SIZE) * 0.56).ceil() as i32
}

/// A tick's number without noise: `1500`, `20k`, `0.25`.
pub(crate) fn tick(value: f64, step: f64) -> String {
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
pub(crate) fn airy(low: f64, high: f64, share: f64) -> (f64, f64) {
    let span = if high > low { high - low } else { low.abs().max(1e-6) * 0.1 };
    (low - share * span, high + share * span)
}

/// Draws a picture of the given size into a string.
pub(crate) fn svg(
    size: (u32, u32),
    draw: impl FnOnce(&DrawingArea<SVGBackend, Shift>) -> Result<(), Problem>,
) -> Result<String, Problem> {
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, size).into_drawing_area();
        root.fill(&WHITE)?;
        draw(&root)?;
        root.present()?;
    }
    Ok(text)
}

/// A picture's heading with a faint line below it, of 64 pixels together.
pub(crate) fn title(
    root: &DrawingArea<SVGBackend, Shift>,
    heading: &str,
    subtitle: &str,
) -> Result<(), Problem> {
    root.draw(&Text::new(heading.to_owned(), (16, 20), text(TITLE_SIZE, INK)))?;
    root.draw(&Text::new(subtitle.to_owned(), (16, 44), text(TEXT_SIZE, FAINT)))?;
    Ok(())
}

/// A column of line keys with their labels, a faint heading on top.
pub(crate) fn legend<'a>(
    area: &DrawingArea<SVGBackend, Shift>,
    heading: &str,
    entries: impl IntoIterator<Item = (usize, &'a str)>,
) -> Result<(), Problem> {
    area.draw(&Text::new(heading.to_owned(), (8, 24), text(TEXT_SIZE, FAINT)))?;
    for (line, (index, label)) in entries.into_iter().enumerate() {
        let y = 24 + LEGEND_LINE * (line as i32 + 1);
        let (color, dash) = stroke(index);
        let style = color.stroke_width(3);
        // A dashed key of 28 pixels: one dash and a half is enough to be told from a whole line.
        let pieces = match dash {
            None => vec![(8, 36)],
            Some(dash) => {
                (0..28 / (dash + 4)).map(|i| (8 + i * (dash + 4), 8 + i * (dash + 4) + dash)).collect()
            }
        };
        for (from, to) in pieces {
            area.draw(&PathElement::new(vec![(from, y), (to, y)], style))?;
        }
        area.draw(&Text::new(label.to_owned(), (46, y), text(TEXT_SIZE, INK)))?;
    }
    Ok(())
}

/// What the drawing library can say.
pub(crate) type Problem = Box<dyn std::error::Error>;

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
        let strokes: Vec<_> = (0..COLORS * DASHES).map(stroke).collect();
        for (i, a) in strokes.iter().enumerate() {
            assert!(strokes[..i].iter().all(|b| a != b));
        }
    }
}
