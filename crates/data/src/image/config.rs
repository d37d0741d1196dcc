//! How images are read.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::DataError;

/// The longest side that images are resized to.
const LONGEST_SIDE: usize = 4096;

/// How images become arrays of one shape, and what is done to their values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ImageConfig {
    /// Height and width that all images are resized to. If absent, they must have one size already.
    pub size: Option<[usize; 2]>,
    /// 1 for grey or 3 for colour; transparency is dropped. If absent, as in the files, which must agree.
    pub channels: Option<usize>,
    /// What is subtracted from the values of each channel, on a scale from 0 for black to 1. An empty list takes the mean of the training images.
    pub mean: Vec<f64>,
    /// What the values of each channel are divided by after that. An empty list takes the standard deviation of the training images.
    pub deviation: Vec<f64>,
    /// The labels of each idx file under `train`. An empty list finds them beside the images, by the same name with `images` replaced by `labels`.
    pub train_labels: Vec<PathBuf>,
    /// The labels of each idx file under `evaluate`, found in the same way.
    pub evaluate_labels: Vec<PathBuf>,
    /// Which of the two labels of a CIFAR-100 record is the class.
    pub cifar100_label: Cifar100Label,
}

/// The two labels of an image in CIFAR-100.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cifar100Label {
    /// One of 100 classes.
    #[default]
    Fine,
    /// One of 20 groups of classes.
    Coarse,
}

impl ImageConfig {
    /// Checks every value that the type does not.
    ///
    /// # Errors
    /// A size of zero or beyond 4096, channels other than 1 or 3, a mean that is not finite, or a
    /// deviation that is not above zero.
    pub fn validate(&self) -> Result<(), DataError> {
        let refuse = |key, value: String, range: String| Err(DataError::OutOfRange { key, value, range });
        if let Some(size) = self.size
            && !size.iter().all(|side| (1..=LONGEST_SIDE).contains(side))
        {
            let range = format!("a height and a width from 1 to {LONGEST_SIDE}");
            return refuse("data.image.size", format!("{size:?}"), range);
        }
        if let Some(channels) = self.channels.filter(|channels| ![1, 3].contains(channels)) {
            return refuse("data.image.channels", channels.to_string(), "1 or 3".to_owned());
        }
        if let Some(mean) = self.mean.iter().find(|mean| !mean.is_finite()) {
            return refuse("data.image.mean", mean.to_string(), "a list of finite numbers".to_owned());
        }
        let bad = self.deviation.iter().find(|&&deviation| !(deviation.is_finite() && deviation > 0.0));
        match bad {
            Some(bad) => {
                refuse("data.image.deviation", bad.to_string(), "a list of numbers above 0".to_owned())
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_out_of_range_are_refused_by_their_key() {
        let default = ImageConfig::default;
        let cases = [
            ("data.image.size", ImageConfig { size: Some([28, 0]), ..default() }),
            ("data.image.size", ImageConfig { size: Some([5000, 28]), ..default() }),
            ("data.image.channels", ImageConfig { channels: Some(2), ..default() }),
            ("data.image.mean", ImageConfig { mean: vec![0.5, f64::NAN], ..default() }),
            ("data.image.deviation", ImageConfig { deviation: vec![0.0], ..default() }),
            ("data.image.deviation", ImageConfig { deviation: vec![f64::INFINITY], ..default() }),
        ];
        for (expected, config) in cases {
            let error = config.validate().unwrap_err();
            assert!(matches!(error, DataError::OutOfRange { key, .. } if key == expected), "{error}");
        }
        let sound = ImageConfig {
            size: Some([1, 4096]),
            channels: Some(3),
            mean: vec![-1.0],
            deviation: vec![0.1],
            ..default()
        };
        assert!(default().validate().is_ok() && sound.validate().is_ok());
    }
}
