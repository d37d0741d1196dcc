//! How a parameter's first values are drawn.

use mixlab_core::{Key, Stream};

/// Standard deviation of a unit normal cut at ±2: dividing by it undoes the truncation, so that the
/// deviation named in a config is the one the values have (1/0.8796 = 1.1368).
const TRUNCATED_UNIT_DEVIATION: f64 = 0.879_625_661_034_239_8;
/// Where the normal is cut, in deviations of the normal before the cut.
const TRUNCATION: f64 = 2.0;

/// A distribution of initial values. Element `i` of a parameter is a pure function of
/// (seed, parameter path, i), whatever else the model holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Initialiser {
    /// Every value 0.
    Zeros,
    /// Every value 1.
    Ones,
    /// Every value the same.
    Constant(f64),
    /// Normal with mean 0.
    Normal {
        /// Standard deviation.
        deviation: f64,
    },
    /// Normal with mean 0 cut at ±2 deviations of the parent, rescaled to have the deviation stated.
    TruncatedNormal {
        /// Standard deviation of the values drawn, after the cut.
        deviation: f64,
    },
    /// Uniform on (−bound, bound).
    Uniform {
        /// Largest magnitude.
        bound: f64,
    },
}

impl Initialiser {
    /// LeCun: normal with variance `1 / fan_in`.
    pub fn lecun_normal(fan_in: usize) -> Self {
        Initialiser::Normal { deviation: (fan_in as f64).powf(-0.5) }
    }

    /// Glorot and Bengio: normal with deviation `gain · sqrt(2 / (fan_in + fan_out))`.
    pub fn xavier_normal(fan_in: usize, fan_out: usize, gain: f64) -> Self {
        Initialiser::Normal { deviation: gain * (2.0 / (fan_in + fan_out) as f64).sqrt() }
    }

    /// Glorot and Bengio: uniform with bound `gain · sqrt(6 / (fan_in + fan_out))`.
    pub fn xavier_uniform(fan_in: usize, fan_out: usize, gain: f64) -> Self {
        Initialiser::Uniform { bound: gain * (6.0 / (fan_in + fan_out) as f64).sqrt() }
    }

    /// `count` values under `key`, in row-major order.
    pub fn values(&self, key: Key, count: usize) -> Vec<f64> {
        let stream = key.sample(0);
        match *self {
            Initialiser::Zeros => vec![0.0; count],
            Initialiser::Ones => vec![1.0; count],
            Initialiser::Constant(value) => vec![value; count],
            Initialiser::Normal { deviation } => normal(&stream, count, deviation),
            Initialiser::TruncatedNormal { deviation } => truncated(key, count, deviation),
            Initialiser::Uniform { bound } => {
                (0..count as u64).map(|i| bound * (2.0 * stream.uniform(i) - 1.0)).collect()
            }
        }
    }
}

fn normal(stream: &Stream, count: usize, deviation: f64) -> Vec<f64> {
    let mut values = Vec::with_capacity(count + 1);
    for pair in 0..count.div_ceil(2) as u64 {
        let (a, b) = stream.normal_pair(pair);
        values.extend([deviation * a, deviation * b]);
    }
    values.truncate(count);
    values
}

/// Rejection: an element outside the cut is drawn again from a stream of its own, so that no
/// element's value depends on how often its neighbours were rejected.
fn truncated(key: Key, count: usize, deviation: f64) -> Vec<f64> {
    let mut values = normal(&key.sample(0), count, 1.0);
    for (element, value) in values.iter_mut().enumerate() {
        let mut attempt = 0;
        while value.abs() > TRUNCATION {
            attempt += 1;
            *value = key.index(attempt).sample(0).normal(element as u64);
        }
        *value *= deviation / TRUNCATED_UNIT_DEVIATION;
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use mixlab_core::Purpose;

    fn deviation(values: &[f64]) -> f64 {
        (values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64).sqrt()
    }

    fn key() -> Key {
        Key::root(3).purpose(Purpose::Init).site("test")
    }

    #[test]
    fn deviations_are_the_ones_stated() {
        let n = 60_000;
        for (initialiser, expected) in [
            (Initialiser::Normal { deviation: 0.02 }, 0.02),
            (Initialiser::TruncatedNormal { deviation: 0.3 }, 0.3),
            (Initialiser::Uniform { bound: 0.6 }, 0.6 / 3f64.sqrt()),
            (Initialiser::lecun_normal(256), 1.0 / 16.0),
            (Initialiser::xavier_normal(30, 70, 2.0), 2.0 * 0.02f64.sqrt()),
            (Initialiser::xavier_uniform(30, 70, 1.0), 0.02f64.sqrt()),
        ] {
            let found = deviation(&initialiser.values(key(), n));
            assert!((found / expected - 1.0).abs() < 0.02, "{initialiser:?}: {found} instead of {expected}");
        }
    }

    #[test]
    fn truncated_values_stay_inside_the_cut() {
        let values = Initialiser::TruncatedNormal { deviation: 1.0 }.values(key(), 20_000);
        let largest = values.iter().fold(0f64, |m, v| m.max(v.abs()));
        assert!(largest <= TRUNCATION / TRUNCATED_UNIT_DEVIATION);
        assert!(largest > 2.2, "the cut is where it is said to be");
    }

    #[test]
    fn a_prefix_does_not_depend_on_the_count() {
        for initialiser in
            [Initialiser::Normal { deviation: 1.0 }, Initialiser::TruncatedNormal { deviation: 1.0 }]
        {
            assert_eq!(initialiser.values(key(), 7), initialiser.values(key(), 100)[..7]);
        }
    }
}
