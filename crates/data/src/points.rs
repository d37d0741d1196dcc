//! Points of a plane whose distribution is known, for adversarial runs: mixtures and a spiral.
//!
//! Sizes are those of Gulrajani et al., "Improved training of Wasserstein GANs", 2017: all sets have a deviation of about 1.

use mixlab_core::Key;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A distribution of points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PointSet {
    /// Eight normal distributions of deviation 0.02 on a circle of radius 2, all divided by 1.414.
    EightGaussians,
    /// Twenty-five of deviation 0.05 on the grid {−4, −2, 0, 2, 4}², all divided by 2.828.
    TwentyFiveGaussians,
    /// A spiral, `t·(cos t, sin t)` for t uniform on [1.5π, 4.5π), with noise of deviation 0.25, all divided by 7.5.
    SwissRoll,
}

/// Where the points of a mixture gather.
#[derive(Clone, Debug, PartialEq)]
pub struct Modes {
    /// Centres, each as likely as the others.
    pub centres: Vec<[f64; 2]>,
    /// Deviation along each axis.
    pub deviation: f64,
}

impl PointSet {
    /// Point number `index` under `key`.
    pub fn point(self, key: Key, index: u64) -> [f64; 2] {
        let stream = key.sample(index);
        // A uniform number, and a pair of normal ones from words of their own.
        let (uniform, noise) = (stream.uniform(0), <[f64; 2]>::from(stream.normal_pair(4)));
        match self.modes() {
            Some(Modes { centres, deviation }) => {
                let mode = ((uniform * centres.len() as f64) as usize).min(centres.len() - 1);
                let [x, y] = centres[mode];
                [x + deviation * noise[0], y + deviation * noise[1]]
            }
            None => {
                let t = 1.5 * std::f64::consts::PI * (1.0 + 2.0 * uniform);
                let (sine, cosine) = t.sin_cos();
                [(t * cosine + 0.25 * noise[0]) / 7.5, (t * sine + 0.25 * noise[1]) / 7.5]
            }
        }
    }

    /// The modes, of mixtures.
    pub fn modes(self) -> Option<Modes> {
        match self {
            PointSet::EightGaussians => {
                let scale = 1.414;
                let centre = |i: i32| {
                    let (sine, cosine) = (f64::from(i) * std::f64::consts::FRAC_PI_4).sin_cos();
                    [2.0 * cosine / scale, 2.0 * sine / scale]
                };
                Some(Modes { centres: (0..8).map(centre).collect(), deviation: 0.02 / scale })
            }
            PointSet::TwentyFiveGaussians => {
                let scale = 2.828;
                let place = |i: i32| 2.0 * f64::from(i - 2) / scale;
                let centres = (0..25).map(|i| [place(i / 5), place(i % 5)]).collect();
                Some(Modes { centres, deviation: 0.05 / scale })
            }
            PointSet::SwissRoll => None,
        }
    }

    /// As named in a config.
    pub fn name(self) -> &'static str {
        match self {
            PointSet::EightGaussians => "eight_gaussians",
            PointSet::TwentyFiveGaussians => "twenty_five_gaussians",
            PointSet::SwissRoll => "swiss_roll",
        }
    }
}

#[cfg(test)]
mod tests {
    use mixlab_core::Purpose;

    use super::*;

    fn points(set: PointSet, count: u64) -> Vec<[f64; 2]> {
        let key = Key::root(1).purpose(Purpose::Synthetic);
        (0..count).map(|index| set.point(key, index)).collect()
    }

    #[test]
    fn points_gather_at_every_mode_alike() {
        for set in [PointSet::EightGaussians, PointSet::TwentyFiveGaussians] {
            let Modes { centres, deviation } = set.modes().expect("a mixture");
            let mut counts = vec![0; centres.len()];
            for point in points(set, 5000) {
                let distance = |centre: &[f64; 2]| (point[0] - centre[0]).hypot(point[1] - centre[1]);
                let (nearest, away) = centres
                    .iter()
                    .map(distance)
                    .enumerate()
                    .min_by(|a, b| a.1.total_cmp(&b.1))
                    .expect("modes");
                assert!(away < 6.0 * deviation, "{point:?} is {away} from its mode");
                counts[nearest] += 1;
            }
            let expected = 5000.0 / centres.len() as f64;
            for count in counts {
                assert!((f64::from(count) - expected).abs() < 5.0 * expected.sqrt(), "{count}, {expected}");
            }
        }
    }

    #[test]
    fn noise_has_the_deviation_of_a_mode() {
        let Modes { centres, deviation } = PointSet::EightGaussians.modes().expect("a mixture");
        let squares: f64 = points(PointSet::EightGaussians, 4000)
            .iter()
            .map(|point| {
                let square =
                    |centre: &[f64; 2]| (point[0] - centre[0]).powi(2) + (point[1] - centre[1]).powi(2);
                centres.iter().map(square).fold(f64::INFINITY, f64::min)
            })
            .sum();
        let found = (squares / 8000.0).sqrt();
        assert!((found / deviation - 1.0).abs() < 0.03, "{found} and {deviation}");
    }

    #[test]
    fn the_roll_turns_once_and_a_half() {
        for [x, y] in points(PointSet::SwissRoll, 2000) {
            let radius = 7.5 * x.hypot(y);
            assert!((3.0..16.0).contains(&radius), "{radius}");
        }
    }
}
