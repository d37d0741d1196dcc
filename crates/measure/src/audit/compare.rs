//! Where two results that should be equal differ.

use burn::tensor::Tensor;

/// Relative error below which doubles count as equal.
pub(super) const EXACT: f64 = 1e-10;

/// Relative error below which kernel and definition count as equal in single precision.
pub(super) const SINGLE: f64 = 1e-4;

/// What a refuted experiment saw.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Finding {
    pub sample: Option<usize>,
    pub position: Option<usize>,
    /// Over the largest value.
    pub difference: Option<f64>,
    pub what: String,
}

impl Finding {
    /// Of a layer that does not work at all.
    pub fn of_all(what: String) -> Self {
        Finding { sample: None, position: None, difference: None, what }
    }
}

/// What the experiments of one check saw on one layer at one length.
#[derive(Clone, Debug, Default)]
pub(super) struct Trial {
    pub experiments: usize,
    /// The finding at the lowest position.
    pub finding: Option<Finding>,
}

impl Trial {
    /// Counts an experiment that must not find anything.
    pub fn expect_none(&mut self, finding: Option<Finding>) {
        self.experiments += 1;
        let Some(finding) = finding else { return };
        if self.finding.as_ref().is_none_or(|first| finding.position < first.position) {
            self.finding = Some(finding);
        }
    }
}

/// A tolerance with the size of what is compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tolerance {
    /// Largest relative error.
    pub relative: f64,
    /// The least size that errors are relative to.
    pub scale: f64,
}

/// The first position, and there the first sample, at which rows differ that are seen. Both are `[samples, n, width]`.
pub(super) fn first_difference(
    found: &Tensor<3>,
    expected: &Tensor<3>,
    tolerance: Tolerance,
    seen: impl Fn(usize, usize) -> bool,
    what: impl FnOnce() -> String,
) -> Option<Finding> {
    let [samples, n, width] = expected.dims();
    if found.dims() != expected.dims() {
        let what = format!("{}: the shape is {:?} instead of {:?}", what(), found.dims(), expected.dims());
        return Some(Finding::of_all(what));
    }
    let (found, expected) = (numbers(found), numbers(expected));
    // Nothing but zeros has no size; it can still be equal.
    let least = tolerance.scale.max(f64::MIN_POSITIVE);
    let scale = expected.iter().fold(least, |largest, value| largest.max(value.abs()));
    let row = |values: &[f64], sample: usize, position: usize| {
        let start = (sample * n + position) * width;
        values[start..start + width].to_vec()
    };
    let places = (0..n).flat_map(|position| (0..samples).map(move |sample| (sample, position)));
    let mut differences =
        places.filter(|&(sample, position)| seen(sample, position)).map(|(sample, position)| {
            let (a, b) = (row(&found, sample, position), row(&expected, sample, position));
            (sample, position, distance(&a, &b) / scale)
        });
    let (sample, position, difference) =
        differences.find(|(.., difference)| difference.is_nan() || *difference > tolerance.relative)?;
    let difference = difference.is_finite().then_some(difference);
    Some(Finding { sample: Some(sample), position: Some(position), difference, what: what() })
}

/// The first place, in the order of positions, at which a number is not finite.
pub(super) fn first_not_finite(values: &Tensor<3>, what: impl FnOnce() -> String) -> Option<Finding> {
    let [samples, n, width] = values.dims();
    let values = numbers(values);
    let spoilt = |&(sample, position): &(usize, usize)| {
        let start = (sample * n + position) * width;
        values[start..start + width].iter().any(|value| !value.is_finite())
    };
    let mut places = (0..n).flat_map(|position| (0..samples).map(move |sample| (sample, position)));
    let (sample, position) = places.find(spoilt)?;
    Some(Finding { sample: Some(sample), position: Some(position), difference: None, what: what() })
}

/// Largest difference of two vectors; infinite if a number of either is none.
pub(super) fn distance(a: &[f64], b: &[f64]) -> f64 {
    let pairs = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    pairs.fold(0.0, |largest: f64, d| if d.is_nan() { f64::INFINITY } else { largest.max(d) })
}

/// Largest absolute value.
pub(super) fn largest<const D: usize>(x: &Tensor<D>) -> f64 {
    numbers(x).iter().fold(0.0, |largest, value| largest.max(value.abs()))
}

pub(super) fn numbers<const D: usize>(x: &Tensor<D>) -> Vec<f64> {
    x.clone().into_data().iter::<f64>().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{DType, Device, TensorData};

    fn tensor(values: &[f64], samples: usize) -> Tensor<3> {
        let data = TensorData::new(values.to_vec(), [samples, values.len() / samples, 1]);
        Tensor::from_data(data, (&Device::flex(), DType::F64))
    }

    fn compare(found: &[f64], expected: &[f64], seen: impl Fn(usize, usize) -> bool) -> Option<Finding> {
        let tolerance = Tolerance { relative: EXACT, scale: 1.0 };
        first_difference(&tensor(found, 2), &tensor(expected, 2), tolerance, seen, || "x".to_owned())
    }

    #[test]
    fn the_lowest_position_is_named_and_hidden_ones_are_not_read() {
        let expected = [0.0, 1.0, 2.0, 0.0, 4.0, 2.0];
        let all = |_, _| true;
        assert_eq!(compare(&expected, &expected, all), None);
        assert_eq!(compare(&[1e-11, 1.0, 2.0, 0.0, 4.0, 2.0], &expected, all), None);
        let place = |found: &[f64], seen: fn(usize, usize) -> bool| {
            compare(found, &expected, seen)
                .map(|finding| (finding.sample, finding.position, finding.difference))
        };
        // Relative to the largest value, 4.
        let found = [0.0, 1.0, 4.0, 0.0, 3.0, 2.0];
        assert_eq!(place(&found, |_, _| true), Some((Some(1), Some(1), Some(0.25))));
        assert_eq!(place(&found, |sample, _| sample == 0), Some((Some(0), Some(2), Some(0.5))));
        assert_eq!(place(&found, |_, position| position == 0), None);
        let nan = [f64::NAN, 1.0, 2.0, 0.0, 4.0, 2.0];
        assert_eq!(place(&nan, |_, _| true), Some((Some(0), Some(0), None)));
    }

    #[test]
    fn numbers_that_are_none_are_found() {
        let finding = |values: &[f64]| first_not_finite(&tensor(values, 2), || "x".to_owned());
        assert_eq!(finding(&[0.0, 1.0]), None);
        let found = finding(&[0.0, 1.0, f64::NAN, f64::INFINITY]).expect("two");
        assert_eq!((found.sample, found.position), (Some(1), Some(0)));
    }

    #[test]
    fn a_trial_keeps_the_lowest_position() {
        let at = |position: usize| Finding { position: Some(position), ..Finding::of_all(String::new()) };
        let mut trial = Trial::default();
        for finding in [None, Some(at(4)), Some(at(2)), Some(at(3))] {
            trial.expect_none(finding);
        }
        assert_eq!((trial.experiments, trial.finding.and_then(|finding| finding.position)), (4, Some(2)));
    }
}
