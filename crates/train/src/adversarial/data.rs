//! Real samples of an adversarial run: images in [−1, 1] or points, by step.

use burn::tensor::{Device, Tensor, TensorData};
use mixlab_core::{Key, Precision, Purpose};
use mixlab_data::{
    AugmentConfig, ImageConfig, ImageInput, ImageSet, ImageTraining, LabelledData, PointSet, load_labelled,
};
use mixlab_nn::adversarial::SampleShape;

use super::AdversarialConfig;
use crate::observer::Observer;
use crate::{Config, TrainError};

/// Part of a side by which images are moved for consistency.
const SHIFT: f64 = 0.2;

/// Where real samples come from.
pub struct AdversarialData {
    source: Source,
    seed: u64,
    batch: usize,
}

enum Source {
    Points(PointSet),
    Images {
        train: Box<ImageTraining>,
        /// The same images, changed, for consistency.
        changed: Option<Box<ImageTraining>>,
        evaluate: Option<Box<ImageSet>>,
        input: ImageInput,
    },
}

/// Real samples `[b, h, w, c]` with the number of their class.
#[derive(Clone, Debug)]
pub struct RealSamples {
    /// `[b, h, w, c]`.
    pub samples: Tensor<4>,
    /// One a sample; 0 where there are no classes.
    pub labels: Vec<u32>,
}

impl AdversarialData {
    /// Reads the data of a run.
    pub(crate) fn new(
        config: &Config,
        objective: &AdversarialConfig,
        observer: &mut dyn Observer,
    ) -> Result<Self, TrainError> {
        let (seed, batch) = (config.run.seed, config.train.batch);
        if let Some(points) = config.data.points {
            return Ok(AdversarialData { source: Source::Points(points), seed, batch });
        }
        observer.phase("reading the data");
        let LabelledData::Images { train: set, evaluate } = load_labelled(&config.data)? else {
            return Err(TrainError::Conflict {
                first: "objective.kind = \"adversarial\"".into(),
                second: "texts under `data.train`".into(),
                reason: "generators make images or points".into(),
                remedy: "name images, or set `data.points`".into(),
            });
        };
        // Generators end in tanh: black is −1 and white 1, whatever the data.
        let half = vec![0.5; set.channels];
        let image = ImageConfig { mean: half.clone(), deviation: half, ..config.data.image.clone() };
        let input = ImageInput::new(&set, &image)?;
        let normalisation = input.normalisation.clone();
        let steps = objective.critic_steps;
        let training = |set: ImageSet, augment: AugmentConfig| {
            ImageTraining::new(set, normalisation.clone(), augment, batch, steps, seed).map(Box::new)
        };
        let changed = (objective.consistency > 0.0)
            .then(|| {
                let shift = (SHIFT * set.height.min(set.width) as f64).round() as usize;
                training(set.clone(), AugmentConfig { flip: true, shift, ..AugmentConfig::default() })
            })
            .transpose()?;
        let train = training(set, config.data.augment)?;
        let evaluate = evaluate.map(Box::new);
        Ok(AdversarialData { source: Source::Images { train, changed, evaluate, input }, seed, batch })
    }

    /// The data of a run that was made.
    ///
    /// # Errors
    /// What the data say; [`TrainError::Conflict`] if the run is not an adversarial one.
    pub fn of_run(config: &Config, observer: &mut dyn Observer) -> Result<Self, TrainError> {
        let Some(objective) = config.objective.adversarial() else {
            return Err(TrainError::Conflict {
                first: "this run".into(),
                second: "samples to compare with".into(),
                reason: "its objective is not adversarial".into(),
                remedy: "name a run with `objective.kind = \"adversarial\"`".into(),
            });
        };
        AdversarialData::new(config, objective, observer)
    }

    /// The shape of a sample.
    pub fn shape(&self) -> SampleShape {
        match &self.source {
            Source::Points(_) => SampleShape { channels: 2, height: 1, width: 1 },
            Source::Images { train, .. } => {
                let mixlab_data::ImageShape { height, width, channels } = train.set().shape();
                SampleShape { channels, height, width }
            }
        }
    }

    /// Names of the classes; none of points.
    pub fn classes(&self) -> &[String] {
        match &self.source {
            Source::Points(_) => &[],
            Source::Images { train, .. } => &train.set().classes,
        }
    }

    /// The points, if samples are points.
    pub fn points(&self) -> Option<PointSet> {
        match &self.source {
            Source::Points(points) => Some(*points),
            Source::Images { .. } => None,
        }
    }

    /// How images become samples.
    pub(crate) fn input(&self) -> Option<&ImageInput> {
        match &self.source {
            Source::Points(_) => None,
            Source::Images { input, .. } => Some(input),
        }
    }

    /// Real samples of one update of the critic.
    pub(crate) fn real(&self, step: u64, turn: usize, device: &Device, precision: Precision) -> RealSamples {
        match &self.source {
            Source::Points(points) => {
                let key = self.key().step(step).index(turn as u64);
                RealSamples {
                    samples: self.drawn(*points, key, self.batch, device, precision),
                    labels: vec![0; self.batch],
                }
            }
            Source::Images { train, .. } => {
                let batch = train.batch(step, turn);
                let samples = images(&batch.pixels, batch.batch, self.shape(), device, precision);
                RealSamples { samples, labels: batch.labels }
            }
        }
    }

    /// The same samples, changed, if consistency is asked for.
    pub(crate) fn changed(
        &self,
        step: u64,
        turn: usize,
        device: &Device,
        precision: Precision,
    ) -> Option<Tensor<4>> {
        match &self.source {
            Source::Images { changed: Some(changed), .. } => {
                let batch = changed.batch(step, turn);
                Some(images(&batch.pixels, batch.batch, self.shape(), device, precision))
            }
            Source::Images { .. } | Source::Points(_) => None,
        }
    }

    /// At most `count` samples to compare with: fresh points, or held-out images, or where none are held out those of the training.
    pub fn held_out(&self, count: usize, device: &Device, precision: Precision) -> RealSamples {
        match &self.source {
            Source::Points(points) => {
                let key = self.key().site("held-out");
                let samples = self.drawn(*points, key, count, device, precision);
                RealSamples { samples, labels: vec![0; count] }
            }
            Source::Images { train, evaluate, input, .. } => {
                let set = evaluate.as_deref().unwrap_or_else(|| train.set());
                let count = count.min(set.len());
                let pixels: Vec<f32> =
                    (0..count).flat_map(|index| input.normalisation.numbers(set.image(index))).collect();
                let samples = images(&pixels, count, self.shape(), device, precision);
                RealSamples { samples, labels: set.labels[..count].to_vec() }
            }
        }
    }

    /// Samples to train on; points have no end.
    pub(crate) fn count(&self) -> Option<usize> {
        match &self.source {
            Source::Points(_) => None,
            Source::Images { train, .. } => Some(train.rows_per_epoch()),
        }
    }

    /// Samples to measure on.
    pub(crate) fn held_out_count(&self) -> usize {
        match &self.source {
            Source::Images { evaluate: Some(evaluate), .. } => evaluate.len(),
            Source::Images { .. } | Source::Points(_) => 0,
        }
    }

    /// How often the data has been gone through.
    pub(crate) fn epochs(&self, steps: u64) -> f64 {
        match &self.source {
            Source::Points(_) => 0.0,
            Source::Images { train, .. } => train.epochs(steps),
        }
    }

    pub(crate) fn fingerprint(&self) -> String {
        match &self.source {
            Source::Points(points) => points.name().to_owned(),
            Source::Images { train, .. } => train.fingerprint(),
        }
    }

    fn key(&self) -> Key {
        Key::root(self.seed).purpose(Purpose::Order).site("points")
    }

    fn drawn(
        &self,
        points: PointSet,
        key: Key,
        count: usize,
        device: &Device,
        precision: Precision,
    ) -> Tensor<4> {
        let values: Vec<f64> = (0..count as u64).flat_map(|index| points.point(key, index)).collect();
        Tensor::from_data(TensorData::new(values, [count, 1, 1, 2]), (device, precision.dtype()))
    }
}

/// Pixels as samples `[b, h, w, c]`.
fn images(
    pixels: &[f32],
    count: usize,
    shape: SampleShape,
    device: &Device,
    precision: Precision,
) -> Tensor<4> {
    let SampleShape { channels, height, width } = shape;
    let data = TensorData::new(pixels.to_vec(), [count, height, width, channels]);
    Tensor::from_data(data, (device, precision.dtype()))
}
