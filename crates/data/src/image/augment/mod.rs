//! Changing training images each time they are shown.

mod geometry;
mod mixup;

use mixlab_core::{Key, Purpose};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::geometry::Window;
pub(super) use self::mixup::Mixup;
use super::ImageShape;
use crate::DataError;

/// How training images are changed each time they are shown; images to measure on never are.
///
/// The order is crop, flip, shift, noise, mixup. What happens to a sample depends on the seed and its number
/// in the run alone, not on the batch it is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AugmentConfig {
    /// Whether half of the images are mirrored, left to right.
    pub flip: bool,
    /// The most pixels by which an image is moved up or down and left or right. What becomes free takes the mean of its channel.
    pub shift: usize,
    /// The least part of its area that a random section of an image has, which is then enlarged to the full size. If absent, images are shown whole.
    pub crop: Option<f64>,
    /// The standard deviation of the noise that is added to every normalised value; 0 adds none.
    pub noise: f64,
    /// The parameter of the symmetric beta distribution from which the weights of two mixed images are drawn; 0 mixes nothing.
    pub mixup: f64,
}

impl AugmentConfig {
    /// Checks every value that the type does not.
    ///
    /// # Errors
    /// A crop outside of 0 to 1, 0 excluded, a noise outside of 0 to 100, or a mixup that is neither 0 nor from 0.001 to 1000.
    pub fn validate(&self) -> Result<(), DataError> {
        let refuse = |key, value: f64, range: &str| {
            Err(DataError::OutOfRange { key, value: value.to_string(), range: range.to_owned() })
        };
        match self.crop {
            Some(crop) if !(crop > 0.0 && crop <= 1.0) => {
                refuse("data.augment.crop", crop, "above 0 and at most 1")
            }
            _ if !(0.0..=100.0).contains(&self.noise) => {
                refuse("data.augment.noise", self.noise, "from 0 to 100")
            }
            _ if self.mixup != 0.0 && !(0.001..=1000.0).contains(&self.mixup) => {
                refuse("data.augment.mixup", self.mixup, "0, or from 0.001 to 1000")
            }
            _ => Ok(()),
        }
    }
}

/// The changes of a run.
#[derive(Debug)]
pub(crate) struct Augmenter {
    config: AugmentConfig,
    shape: ImageShape,
    key: Key,
}

impl Augmenter {
    /// # Errors
    /// A value out of range, or a shift that can move an image out of sight.
    pub fn new(config: AugmentConfig, shape: ImageShape, seed: u64) -> Result<Self, DataError> {
        config.validate()?;
        let most = shape.height.min(shape.width).saturating_sub(1);
        if config.shift > most {
            return Err(DataError::OutOfRange {
                key: "data.augment.shift",
                value: config.shift.to_string(),
                range: format!("at most {most}: images are {shape}"),
            });
        }
        Ok(Augmenter { config, shape, key: Key::root(seed).purpose(Purpose::Augmentation) })
    }

    /// A normalised image as it is shown in a sample. The view tells the two images of a mixture apart.
    pub fn apply(&self, mut image: Vec<f32>, sample: u64, view: u64) -> Vec<f32> {
        // The number of each draw is fixed, so that one change does not depend on which others are on.
        let draws = self.key.view(view).site("geometry").sample(sample);
        if let Some(least) = self.config.crop {
            let window =
                Window::random(self.shape, least, std::array::from_fn(|n| draws.uniform(3 + n as u64)));
            image = geometry::enlarge(&image, self.shape, window);
        }
        if self.config.flip && draws.uniform(0) < 0.5 {
            geometry::flip(&mut image, self.shape);
        }
        if self.config.shift > 0 {
            let most = self.config.shift as i64;
            let [down, right] = [1, 2].map(|draw| draws.below(draw, 2 * most as u64 + 1) as i64 - most);
            image = geometry::shift(&image, self.shape, down as isize, right as isize);
        }
        if self.config.noise > 0.0 {
            let noise = self.key.view(view).site("noise").sample(sample);
            for (pixel, value) in (0..).zip(&mut image) {
                *value += (self.config.noise * noise.normal(pixel)) as f32;
            }
        }
        image
    }

    /// What a sample is mixed with, if anything, out of so many images.
    pub(in crate::image) fn mixup(&self, sample: u64, images: usize) -> Option<Mixup> {
        (self.config.mixup > 0.0)
            .then(|| Mixup::random(self.key.site("mixup"), sample, images, self.config.mixup))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: ImageShape = ImageShape { height: 4, width: 4, channels: 1 };

    fn shown(config: AugmentConfig, sample: u64) -> Vec<f32> {
        let image = (1..=16).map(|value| value as f32).collect();
        Augmenter::new(config, SHAPE, 3).unwrap().apply(image, sample, 0)
    }

    #[test]
    fn values_out_of_range_are_refused() {
        let default = AugmentConfig::default;
        for (expected, config) in [
            ("data.augment.crop", AugmentConfig { crop: Some(0.0), ..default() }),
            ("data.augment.crop", AugmentConfig { crop: Some(f64::NAN), ..default() }),
            ("data.augment.noise", AugmentConfig { noise: -0.1, ..default() }),
            ("data.augment.mixup", AugmentConfig { mixup: -0.1, ..default() }),
            ("data.augment.mixup", AugmentConfig { mixup: f64::NAN, ..default() }),
            ("data.augment.shift", AugmentConfig { shift: 4, ..default() }),
        ] {
            let error = Augmenter::new(config, SHAPE, 0).unwrap_err();
            assert!(matches!(error, DataError::OutOfRange { key, .. } if key == expected), "{error}");
        }
    }

    #[test]
    fn noise_has_its_deviation_and_belongs_to_the_sample() {
        let config = AugmentConfig { noise: 0.5, ..AugmentConfig::default() };
        let plain = shown(AugmentConfig::default(), 0);
        let moved = |sample| {
            shown(config, sample).into_iter().zip(&plain).map(|(a, b)| f64::from(a - b)).collect::<Vec<_>>()
        };
        let all: Vec<f64> = (0..200).flat_map(moved).collect();
        let square = all.iter().map(|x| x * x).sum::<f64>() / all.len() as f64;
        assert!((square.sqrt() - 0.5).abs() < 0.02, "{square}");
        assert_eq!(shown(config, 3), shown(config, 3));
        assert_ne!(shown(config, 3), shown(config, 4));
    }

    #[test]
    fn half_of_the_images_are_flipped() {
        let config = AugmentConfig { flip: true, ..AugmentConfig::default() };
        let flipped = (0..1000).filter(|&sample| shown(config, sample)[0] == 4.0).count();
        assert!((450..550).contains(&flipped), "{flipped}");
    }

    #[test]
    fn every_shift_occurs() {
        let config = AugmentConfig { shift: 1, ..AugmentConfig::default() };
        let mut corners: Vec<u32> = (0..200).map(|sample| shown(config, sample)[5] as u32).collect();
        corners.sort_unstable();
        corners.dedup();
        assert_eq!(corners, [1, 2, 3, 5, 6, 7, 9, 10, 11]);
    }

    #[test]
    fn changes_do_not_depend_on_each_other() {
        let flip = AugmentConfig { flip: true, ..AugmentConfig::default() };
        let both = AugmentConfig { crop: Some(1.0), ..flip };
        for sample in 0..50 {
            // The whole image as a section changes nothing.
            assert_eq!(shown(flip, sample), shown(both, sample));
        }
    }

    #[test]
    fn the_two_images_of_a_mixture_are_changed_independently() {
        let flip = AugmentConfig { flip: true, ..AugmentConfig::default() };
        let augmenter = Augmenter::new(flip, SHAPE, 3).unwrap();
        let image: Vec<f32> = (0..16).map(|value| value as f32).collect();
        let same =
            |sample| augmenter.apply(image.clone(), sample, 0) == augmenter.apply(image.clone(), sample, 1);
        let agreeing = (0..1000).filter(|&sample| same(sample)).count();
        assert!((450..550).contains(&agreeing), "{agreeing}");
    }
}
