//! Pictures of a study, as SVG.

mod appearance;
mod curves;
mod points;
mod series;

pub(super) use curves::curves;
pub(super) use points::points;

use plotters::coord::Shift;
use plotters::prelude::{DrawingArea, SVGBackend};

use crate::picture::{Problem, svg};
use crate::study::error::StudyError;

/// Draws a picture; an error names it.
fn picture(
    name: &str,
    size: (u32, u32),
    draw: impl FnOnce(&DrawingArea<SVGBackend, Shift>) -> Result<(), Problem>,
) -> Result<String, StudyError> {
    svg(size, draw)
        .map_err(|problem| StudyError::Draw { name: name.to_owned(), problem: problem.to_string() })
}
