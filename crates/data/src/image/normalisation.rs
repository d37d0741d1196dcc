//! Pixel values to numbers around zero.

use serde::{Deserialize, Serialize};

use super::{ImageConfig, ImageSet};
use crate::DataError;

/// What is done to the values `x` from 0 to 255 of each channel: `(x / 255 − mean) / deviation`.
///
/// A model needs the same numbers as long as it lives, so that they are kept with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Normalisation {
    /// Mean of each channel, on a scale from 0 to 1.
    pub mean: Vec<f64>,
    /// Deviation of each channel, on the same scale.
    pub deviation: Vec<f64>,
}

impl Normalisation {
    /// What the config says, and where it says nothing, mean and standard deviation (over all pixels,
    /// not corrected for their number) of `set`: pass the training images. A channel with the same
    /// value everywhere has deviation 1.
    ///
    /// # Errors
    /// When the config has another number of values than the images have channels.
    pub fn new(set: &ImageSet, config: &ImageConfig) -> Result<Self, DataError> {
        config.validate()?;
        let measured = (0..set.channels).map(|channel| moments(set, channel));
        let (mean, deviation): (Vec<f64>, Vec<f64>) = measured.unzip();
        let choose = |stated: &[f64], measured| if stated.is_empty() { measured } else { stated.to_vec() };
        let normalisation = Normalisation {
            mean: choose(&config.mean, mean),
            deviation: choose(&config.deviation, deviation),
        };
        normalisation.check(set.channels)?;
        Ok(normalisation)
    }

    /// Checks that there is one finite mean and one deviation above zero for each channel.
    ///
    /// # Errors
    /// When that is not so.
    pub fn check(&self, channels: usize) -> Result<(), DataError> {
        for (key, values) in [("data.image.mean", &self.mean), ("data.image.deviation", &self.deviation)] {
            if values.len() != channels {
                return Err(DataError::Channels { key, found: values.len(), expected: channels });
            }
        }
        let (mean, deviation) = (self.mean.clone(), self.deviation.clone());
        ImageConfig { mean, deviation, ..ImageConfig::default() }.validate()
    }

    /// The numbers of an image or several, channel last.
    pub fn numbers(&self, pixels: &[u8]) -> Vec<f32> {
        self.tables().apply(pixels)
    }

    /// The number that stands for each of the 256 values, for each channel.
    pub(crate) fn tables(&self) -> Tables {
        let table = |(mean, deviation): (&f64, &f64)| {
            std::array::from_fn(|value| ((value as f64 / 255.0 - mean) / deviation) as f32)
        };
        Tables(self.mean.iter().zip(&self.deviation).map(table).collect())
    }
}

/// A normalisation worked out for every value there is.
#[derive(Debug)]
pub(crate) struct Tables(Vec<[f32; 256]>);

impl Tables {
    /// The numbers of an image or several, channel last.
    pub fn apply(&self, pixels: &[u8]) -> Vec<f32> {
        let mut numbers = Vec::with_capacity(pixels.len());
        for pixel in pixels.chunks_exact(self.0.len()) {
            numbers.extend(pixel.iter().zip(&self.0).map(|(&value, table)| table[usize::from(value)]));
        }
        numbers
    }
}

/// Mean and standard deviation of one channel. The sums are of whole numbers and thus exact.
fn moments(set: &ImageSet, channel: usize) -> (f64, f64) {
    let mut counts = [0_u64; 256];
    set.pixels.iter().skip(channel).step_by(set.channels).for_each(|&value| counts[usize::from(value)] += 1);
    let sum = |power: u32| -> u128 {
        counts.iter().zip(0_u128..).map(|(&count, value)| u128::from(count) * value.pow(power)).sum()
    };
    let (count, first, second) = (sum(0), sum(1), sum(2));
    if count == 0 {
        return (0.0, 1.0);
    }
    let spread = (count * second - first * first) as f64;
    let deviation = spread.sqrt() / (count as f64 * 255.0);
    let mean = first as f64 / (count as f64 * 255.0);
    (mean, if deviation > 0.0 { deviation } else { 1.0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::ImageShape;

    fn set(channels: usize, pixels: &[u8]) -> ImageSet {
        let labels = vec![0; pixels.len() / (2 * channels)];
        let shape = ImageShape { height: 1, width: 2, channels };
        ImageSet::new(shape, pixels.to_vec(), labels, vec!["a".to_owned()]).unwrap()
    }

    #[test]
    fn moments_are_those_of_each_channel() {
        // Channels 0, 255, 255, 0 and 51, 51, 51, 51 and 0, 0, 0, 255.
        let set = set(3, &[0, 51, 0, 255, 51, 0, 255, 51, 0, 0, 51, 255]);
        let found = Normalisation::new(&set, &ImageConfig::default()).unwrap();
        assert_eq!(found.mean, [0.5, 0.2, 0.25]);
        assert_eq!(found.deviation[..2], [0.5, 1.0]);
        assert!((found.deviation[2] - 0.1875_f64.sqrt()).abs() < 1e-15);
    }

    #[test]
    fn numbers_follow_the_formula() {
        let stated = Normalisation { mean: vec![0.2, 0.0], deviation: vec![0.5, 2.0] };
        assert_eq!(stated.tables().apply(&[51, 0, 255, 255]), [0.0, 0.0, 1.6, 0.5]);
    }

    #[test]
    fn normalised_training_images_have_mean_zero_and_deviation_one() {
        let set = set(1, &(0..200).map(|n| (n * 37 % 256) as u8).collect::<Vec<_>>());
        let tables = Normalisation::new(&set, &ImageConfig::default()).unwrap().tables();
        let numbers: Vec<f64> = tables.apply(&set.pixels).into_iter().map(f64::from).collect();
        let mean = numbers.iter().sum::<f64>() / 200.0;
        let square = numbers.iter().map(|number| number * number).sum::<f64>() / 200.0;
        assert!(mean.abs() < 1e-6 && (square - 1.0).abs() < 1e-6, "{mean} {square}");
    }

    #[test]
    fn the_config_may_state_either_part() {
        let config = ImageConfig { mean: vec![0.5], ..ImageConfig::default() };
        let found = Normalisation::new(&set(1, &[0, 255]), &config).unwrap();
        assert_eq!(found, Normalisation { mean: vec![0.5], deviation: vec![0.5] });
        let error = Normalisation::new(&set(3, &[0; 6]), &config).unwrap_err();
        assert!(matches!(error, DataError::Channels { key: "data.image.mean", found: 1, expected: 3 }));
        let broken = Normalisation { mean: vec![0.0], deviation: vec![0.0] };
        assert!(matches!(broken.check(1), Err(DataError::OutOfRange { .. })));
    }
}
