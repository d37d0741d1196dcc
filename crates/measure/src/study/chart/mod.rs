//! Pictures of a study, as SVG.

mod curves;
mod points;
mod series;
mod style;

pub(super) use curves::curves;
pub(super) use points::points;
