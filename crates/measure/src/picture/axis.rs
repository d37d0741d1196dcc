//! A logarithmic axis.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};

use super::airy;

/// Air on both sides of the data, as a share of the range of its logarithm.
const AIR: f64 = 0.06;
/// Powers of ten up to which an axis has marks between them.
const DENSE: f64 = 6.0;

/// A logarithmic axis with its own marks.
pub(crate) struct LogAxis {
    range: Range<f64>,
    marks: Vec<f64>,
}

impl LogAxis {
    /// With some air around the smallest and largest value, and marks at round numbers.
    pub fn around(values: impl Iterator<Item = f64> + Clone) -> Self {
        let logarithms = values.map(f64::ln);
        let (low, high) = airy(
            logarithms.clone().fold(f64::INFINITY, f64::min),
            logarithms.fold(f64::NEG_INFINITY, f64::max),
            AIR,
        );
        let range = low.exp()..high.exp();
        LogAxis { marks: round_numbers(&range), range }
    }

    /// The same with marks at those of some sorted values that are far enough apart.
    pub fn marked(values: impl Iterator<Item = f64> + Clone, at: &[usize]) -> Self {
        let axis = Self::around(values);
        LogAxis { marks: apart(&axis, at), ..axis }
    }

    /// The same with marks at powers of ten alone, where there are several: for long labels beside each other.
    pub fn by_powers(self) -> Self {
        let powers = self.range.start.log10().ceil() as i32..=self.range.end.log10().floor() as i32;
        let marks: Vec<f64> = powers.map(|power| 10f64.powi(power)).collect();
        if marks.len() < 3 { self } else { LogAxis { marks, ..self } }
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

/// The numbers 1, 2 and 5 times a power of ten in a range; in one of more than [`DENSE`] powers, about as many powers of ten.
fn round_numbers(range: &Range<f64>) -> Vec<f64> {
    let powers = range.start.log10().floor() as i32..=range.end.log10().ceil() as i32;
    let count = (range.end / range.start).log10();
    if count > DENSE {
        let step = (count / DENSE).ceil() as i32;
        let all = powers.filter(|power| power % step == 0).map(|power| 10f64.powi(power));
        return all.filter(|value| range.contains(value)).collect();
    }
    let all = powers.flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powi(power)));
    all.filter(|value| range.contains(value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_logarithmic_axes() {
        assert_eq!(round_numbers(&(3.0..120.0)), [5.0, 10.0, 20.0, 50.0, 100.0]);
        let wide = round_numbers(&(2e-9..3.0));
        assert!(wide.len() == 5 && (wide[0] / 1e-8 - 1.0).abs() < 1e-12 && wide[4] == 1.0, "{wide:?}");
        let axis = LogAxis { range: 1.0..10_000.0, marks: Vec::new() };
        assert_eq!(apart(&axis, &[1, 2, 3, 4, 100, 110, 1000]), [1.0, 2.0, 4.0, 100.0, 1000.0]);
        assert_eq!([1.0, 100.0, 10_000.0].map(|value| axis.map(&value, (50, 250))), [50, 150, 250]);
        let powers = LogAxis::around([2e-3, 40.0].into_iter()).by_powers();
        assert!(powers.marks.len() == 4 && (powers.marks[0] - 0.01).abs() < 1e-12, "{:?}", powers.marks);
        let few = LogAxis::around([2.0, 40.0].into_iter());
        assert_eq!(few.marks, LogAxis::around([2.0, 40.0].into_iter()).by_powers().marks);
        let one = LogAxis::around([7.0].into_iter());
        assert!(one.range.contains(&7.0) && one.share(7.0) > 0.4 && one.share(7.0) < 0.6);
    }
}
