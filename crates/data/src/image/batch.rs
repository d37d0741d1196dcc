//! What an image model is fed with.

use super::ImageShape;

/// Normalised images with their targets, as plain arrays in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageBatch {
    /// Images.
    pub batch: usize,
    /// Rows of pixels.
    pub height: usize,
    /// Pixels in a row.
    pub width: usize,
    /// Values of a pixel.
    pub channels: usize,
    /// Normalised values, `[batch × height × width × channels]`.
    pub pixels: Vec<f32>,
    /// Probability of each class, `[batch × classes]`: one for the class of the image, or the weights
    /// of the classes of a mixture.
    pub targets: Vec<f32>,
    /// Class of each image, `[batch]`; of a mixture, that of the image it was made for.
    pub labels: Vec<u32>,
    /// How much each image counts, `[batch]`: 1, or 0 for those that only fill the last batch.
    pub weights: Vec<f32>,
    /// A number for each image, unique per (epoch, image) and independent of the batch size.
    pub samples: Vec<u64>,
}

impl ImageBatch {
    pub(super) fn new(shape: ImageShape) -> Self {
        ImageBatch {
            batch: 0,
            height: shape.height,
            width: shape.width,
            channels: shape.channels,
            pixels: Vec::new(),
            targets: Vec::new(),
            labels: Vec::new(),
            weights: Vec::new(),
            samples: Vec::new(),
        }
    }

    /// Sum of the weights: what a mean loss is divided by.
    pub fn total_weight(&self) -> f64 {
        self.weights.iter().map(|&weight| f64::from(weight)).sum()
    }

    pub(super) fn push(&mut self, pixels: &[f32], targets: &[f32], label: u32, sample: u64, counts: bool) {
        self.pixels.extend_from_slice(pixels);
        self.targets.extend_from_slice(targets);
        self.labels.push(label);
        self.weights.push(f32::from(u8::from(counts)));
        self.samples.push(sample);
        self.batch += 1;
    }
}
