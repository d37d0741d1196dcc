//! Labelled examples as a run uses them.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use mixlab_core::{Key, Precision};
use mixlab_data::{
    ImageBatch, ImageEvaluation, ImageInput, ImageTraining, LabelledData, LabelledTexts, TextBatch,
    TextEvaluation, TextTraining, Tokenizer, load_labelled,
};
use mixlab_kernels::Mask;
use mixlab_nn::{ClassifierInput, Context, Mode};
use mixlab_objectives::classification::{ClassificationBatch, ClassifierInputs};

use crate::observer::Observer;
use crate::prepare::keep_tokenizer;
use crate::task::image_shape;
use crate::{Config, TrainError};

/// Examples to train on and to measure on, ready for batches.
pub(crate) enum Examples {
    Images { train: ImageTraining, evaluate: Option<ImageEvaluation>, input: ImageInput },
    Texts { train: TextTraining, evaluate: Option<TextEvaluation>, tokenizer: Box<Tokenizer> },
}

impl Examples {
    /// Reads the data of a run; its tokenizer, if it needs one, is kept in the run folder.
    pub fn new(config: &Config, run: Option<&Path>, observer: &mut dyn Observer) -> Result<Self, TrainError> {
        observer.phase("reading the data");
        let (train, evaluation) = (&config.train, &config.evaluate);
        match load_labelled(&config.data)? {
            LabelledData::Images { train: set, evaluate } => {
                let input = ImageInput::new(&set, &config.data.image)?;
                let normalisation = &input.normalisation;
                let evaluate = evaluate
                    .map(|set| ImageEvaluation::new(set, normalisation, evaluation.batch))
                    .transpose()?;
                let (normalisation, augment) = (normalisation.clone(), config.data.augment);
                let seed = config.run.seed;
                let train =
                    ImageTraining::new(set, normalisation, augment, train.batch, train.accumulation, seed)?;
                Ok(Examples::Images { train, evaluate, input })
            }
            LabelledData::Texts { train: set, evaluate } => {
                config.validate_lengths()?;
                let tokenizer = keep_tokenizer(config, run, &set.texts, observer)?;
                observer.phase("tokenizing");
                let length = train.length;
                let evaluate = evaluate
                    .map(|set: LabelledTexts| TextEvaluation::new(set, &tokenizer, length, evaluation.batch))
                    .transpose()?;
                let (batch, accumulation, seed) = (train.batch, train.accumulation, config.run.seed);
                let train = TextTraining::new(set, &tokenizer, length, batch, accumulation, seed)?;
                if train.cut() > 0 {
                    observer.notice(&format!(
                        "{} texts are longer than `train.length` = {length} tokens and lose their ends",
                        train.cut()
                    ));
                }
                Ok(Examples::Texts { train, evaluate, tokenizer: Box::new(tokenizer) })
            }
        }
    }

    /// What a classifier of these examples reads.
    pub fn input(&self) -> ClassifierInput {
        match self {
            Examples::Images { input, .. } => ClassifierInput::Images(image_shape(input)),
            Examples::Texts { tokenizer, .. } => {
                ClassifierInput::Tokens { vocabulary: tokenizer.vocabulary() }
            }
        }
    }

    /// Names of the classes.
    pub fn classes(&self) -> &[String] {
        match self {
            Examples::Images { train, .. } => &train.set().classes,
            Examples::Texts { train, .. } => train.classes(),
        }
    }

    pub fn tokenizer(&self) -> Option<&Tokenizer> {
        match self {
            Examples::Images { .. } => None,
            Examples::Texts { tokenizer, .. } => Some(tokenizer),
        }
    }

    /// One micro-batch of a step.
    pub fn train(&self, step: u64, micro: usize) -> Rows {
        match self {
            Examples::Images { train, .. } => Rows::Images(train.batch(step, micro)),
            Examples::Texts { train, .. } => Rows::Texts(train.batch(step, micro)),
        }
    }

    pub fn fingerprint(&self) -> String {
        match self {
            Examples::Images { train, .. } => train.fingerprint(),
            Examples::Texts { train, .. } => train.fingerprint(),
        }
    }

    pub fn epochs(&self, steps: u64) -> f64 {
        match self {
            Examples::Images { train, .. } => train.epochs(steps),
            Examples::Texts { train, .. } => train.epochs(steps),
        }
    }

    /// Examples to train on.
    pub fn count(&self) -> usize {
        match self {
            Examples::Images { train, .. } => train.rows_per_epoch(),
            Examples::Texts { train, .. } => train.rows_per_epoch(),
        }
    }

    /// Examples to measure on, if there are any.
    pub fn evaluation(&self) -> Option<HeldOut<'_>> {
        match self {
            Examples::Images { evaluate, .. } => evaluate.as_ref().map(HeldOut::Images),
            Examples::Texts { evaluate, .. } => evaluate.as_ref().map(HeldOut::Texts),
        }
    }
}

/// Examples to measure on.
#[derive(Clone, Copy)]
pub enum HeldOut<'a> {
    /// Images.
    Images(&'a ImageEvaluation),
    /// Texts.
    Texts(&'a TextEvaluation),
}

impl HeldOut<'_> {
    pub(super) fn batches(self) -> usize {
        match self {
            HeldOut::Images(data) => data.batches(),
            HeldOut::Texts(data) => data.batches(),
        }
    }

    pub(super) fn batch(self, index: usize) -> Rows {
        match self {
            HeldOut::Images(data) => Rows::Images(data.batch(index)),
            HeldOut::Texts(data) => Rows::Texts(data.batch(index)),
        }
    }

    /// Number of examples.
    pub fn count(self) -> usize {
        match self {
            HeldOut::Images(data) => data.set().len(),
            HeldOut::Texts(data) => data.texts(),
        }
    }
}

/// One batch of examples as plain arrays.
pub(crate) enum Rows {
    Images(ImageBatch),
    Texts(TextBatch),
}

impl Rows {
    pub fn total_weight(&self) -> f64 {
        match self {
            Rows::Images(batch) => batch.total_weight(),
            Rows::Texts(batch) => batch.total_weight(),
        }
    }

    pub fn labels(&self) -> &[u32] {
        match self {
            Rows::Images(batch) => &batch.labels,
            Rows::Texts(batch) => &batch.labels,
        }
    }

    pub fn weights(&self) -> &[f32] {
        match self {
            Rows::Images(batch) => &batch.weights,
            Rows::Texts(batch) => &batch.weights,
        }
    }

    /// Positions that are not padding, of a model that makes `length` positions of an image.
    pub fn positions(&self, length: usize) -> u64 {
        match self {
            Rows::Images(batch) => (batch.batch * length) as u64,
            Rows::Texts(batch) => match &batch.padding {
                Some(real) => real.iter().filter(|&&real| real).count() as u64,
                None => batch.inputs.len() as u64,
            },
        }
    }

    /// The batch on a device, its weights divided by `normaliser`, and the circumstances of its forward pass.
    pub fn on(
        &self,
        normaliser: f64,
        (mode, key): (Mode, Key),
        device: &Device,
        precision: Precision,
    ) -> (ClassificationBatch, Context) {
        let (inputs, targets, samples, padding) = match self {
            Rows::Images(batch) => {
                let shape = [batch.batch, batch.height, batch.width, batch.channels];
                let images = ClassifierInputs::images(&batch.pixels, shape, device, precision);
                (images, &batch.targets, &batch.samples, None)
            }
            Rows::Texts(batch) => {
                let tokens = ClassifierInputs::tokens(&batch.inputs, [batch.batch, batch.length], device);
                (tokens, &batch.targets, &batch.samples, batch.padding.as_deref())
            }
        };
        let batch = ClassificationBatch::new(inputs, targets, self.weights(), normaliser, device, precision);
        let context = Context {
            mode,
            causal: false,
            key,
            samples: samples.as_slice().into(),
            mask: Mask { padding: padding.map(Arc::from), segments: None },
            start: 0,
            gap: 0,
            memory: None,
        };
        (batch, context)
    }
}
