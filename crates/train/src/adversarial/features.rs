//! Samples as a classifier sees them: a named space in which distances mean something.

use burn::tensor::Tensor;
use mixlab_nn::Context;
use mixlab_objectives::generative::Rows;

use super::AdversarialDescription;
use crate::{ClassifierFolder, TrainError};

/// Samples that go through the classifier at once.
const BATCH: usize = 250;

/// The pooled vectors of a classifier of the same images.
pub struct FeatureSpace<'a> {
    classifier: &'a ClassifierFolder,
    mean: Vec<f64>,
    deviation: Vec<f64>,
}

impl<'a> FeatureSpace<'a> {
    /// The space of `classifier` for the samples of a generator.
    ///
    /// # Errors
    /// [`TrainError::Conflict`] if it was trained on other data: texts, images of another shape, or other classes.
    pub fn new(
        classifier: &'a ClassifierFolder,
        generator: &AdversarialDescription,
    ) -> Result<Self, TrainError> {
        let other = |found: String, expected: String| {
            TrainError::Conflict {
            first: format!("a classifier of {found}"),
            second: format!("a generator of {expected}"),
            reason: "distances in the space of a network that was trained on other data say nothing of these samples".into(),
            remedy: "train a classifier on the data of the generator, and name its run".into(),
        }
        };
        let Some(own) = &generator.images else {
            return Err(other("examples".into(), "points".into()));
        };
        let Some(images) = &classifier.config.images else {
            return Err(other("texts".into(), "images".into()));
        };
        if images.shape != own.shape {
            return Err(other(format!("images of {}", images.shape), format!("images of {}", own.shape)));
        }
        if classifier.config.classes != generator.classes {
            let named = |classes: &[String]| format!("the classes {}", classes.join(", "));
            return Err(other(named(&classifier.config.classes), named(&generator.classes)));
        }
        let (mean, deviation) = (images.normalisation.mean.clone(), images.normalisation.deviation.clone());
        Ok(FeatureSpace { classifier, mean, deviation })
    }

    /// One row for each sample `[b, h, w, c]` in [−1, 1].
    pub fn rows(&self, samples: &Tensor<4>) -> Rows {
        let [count, .., channels] = samples.dims();
        let model = &self.classifier.model;
        let (mut values, mut width) = (Vec::new(), 1);
        for start in (0..count).step_by(BATCH) {
            let part = samples.clone().narrow(0, start, BATCH.min(count - start));
            let at = (&part.device(), self.classifier.config.precision.dtype());
            let wide = |values: &[f64]| {
                let data = burn::tensor::TensorData::new(values.to_vec(), [1, 1, 1, channels]);
                Tensor::<4>::from_data(data, at)
            };
            let pixels = part.cast(at.1).add_scalar(1.0).mul_scalar(0.5);
            let images = (pixels - wide(&self.mean)) / wide(&self.deviation);
            let context = Context::evaluation(images.dims()[0], false);
            let hidden = model.backbone().forward(model.embed_images(images, &context), &context);
            let pooled = model.readout().pooled(hidden, None);
            width = pooled.dims()[1];
            values.extend(pooled.into_data().iter::<f64>());
        }
        Rows::new(values, width)
    }
}
