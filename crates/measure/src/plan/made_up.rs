//! Batches of the shape of a config's own, made of noise.

use burn::tensor::{DType, Device, Tensor, TensorData};
use mixlab_core::{Key, Precision, Purpose};
use mixlab_kernels::Mask;
use mixlab_nn::{ClassifierInput, Context};
use mixlab_objectives::classification::{ClassificationBatch, ClassifierInputs};
use mixlab_objectives::language::LanguageBatch;
use mixlab_objectives::seq2seq::SequencePairs;
use mixlab_objectives::vae::{Filling, TextVaeBatch};
use mixlab_train::Config;

use super::calibration::context;

/// Random tokens, a share of which has a target.
pub(super) fn tokens(
    precision: Precision,
    vocabulary: usize,
    [rows, length]: [usize; 2],
    share: f64,
    device: &Device,
) -> LanguageBatch {
    let stream = Key::root(0).purpose(Purpose::Synthetic).sample(0);
    let count = rows * length;
    let ids = |offset: usize| -> Vec<u32> {
        let id = |i: usize| (stream.uniform((offset + i) as u64) * vocabulary as f64) as u32;
        (0..count).map(id).collect()
    };
    let weights: Vec<f32> =
        (0..count).map(|i| f32::from(u8::from(stream.uniform((2 * count + i) as u64) < share))).collect();
    let normaliser = (count as f64 * share).max(1.0);
    LanguageBatch::new([rows, length], &ids(0), &ids(count), &weights, normaliser, device, precision)
}

/// Sources or targets of a batch.
#[derive(Clone, Copy)]
pub(super) struct Part {
    pub length: usize,
    /// The share of positions that is not padding.
    pub real: f64,
}

impl Part {
    /// Real positions of row `row` of `rows`: rows are evenly between full ones and those that make the share right.
    fn reaches(self, row: usize, rows: usize) -> f64 {
        let shortest = (2.0 * self.real - 1.0).max(0.0);
        let share = 1.0 - (1.0 - shortest) * row as f64 / (rows - 1).max(1) as f64;
        share * self.length as f64
    }

    /// Which positions of `rows` rows are real.
    fn mask(self, rows: usize) -> Mask {
        let real = (0..rows * self.length).map(|at| {
            let (row, position) = (at / self.length, at % self.length);
            position == 0 || (position as f64) < self.reaches(row, rows)
        });
        Mask { padding: (self.real < 1.0).then(|| real.collect()), segments: None }
    }
}

/// Random sources and targets.
pub(super) fn pairs(
    config: &Config,
    vocabulary: usize,
    rows: usize,
    [source, target]: [Part; 2],
    device: &Device,
) -> SequencePairs {
    let stream = Key::root(0).purpose(Purpose::Synthetic).sample(1);
    let id = |i: u64| (stream.uniform(i) * vocabulary as f64) as i64;
    let sources: Vec<i64> = (0..(rows * source.length) as u64).map(id).collect();
    let context = |part: Part| Context { mask: part.mask(rows), ..context(config, rows) };
    SequencePairs {
        source: Tensor::from_data(TensorData::new(sources, [rows, source.length]), (device, DType::I64)),
        source_context: Context { causal: false, ..context(source) },
        // Padding has no weight, and the loss leaves such positions out.
        target: tokens(config.run.precision, vocabulary, [rows, target.length], target.real, device),
        target_context: context(target),
    }
}

/// Random sentences.
pub(super) fn sentences(
    config: &Config,
    vocabulary: usize,
    rows: usize,
    part: Part,
    device: &Device,
) -> TextVaeBatch {
    let stream = Key::root(0).purpose(Purpose::Synthetic).sample(2);
    let id = |i: usize| (stream.uniform(i as u64) * vocabulary as f64) as u32;
    let row = |row: usize| -> Vec<u32> {
        let tokens = (part.reaches(row, rows).ceil() as usize).max(2);
        (0..tokens).map(|position| id(row * part.length + position)).collect()
    };
    let all: Vec<Vec<u32>> = (0..rows).map(row).collect();
    let slices: Vec<&[u32]> = all.iter().map(Vec::as_slice).collect();
    let targets = slices.iter().map(|row| row.len() - 1).sum::<usize>() as f64;
    let filling = Filling { padding: 0, length: None };
    TextVaeBatch::new(&slices, filling, &context(config, rows), targets, device, config.run.precision)
}

/// Random inputs with a class each.
pub(super) fn examples(
    config: &Config,
    input: ClassifierInput,
    classes: usize,
    shape: [usize; 2],
    device: &Device,
) -> ClassificationBatch {
    let (precision, rows) = (config.run.precision, shape[0]);
    let target = |i: usize| if i % classes == (i / classes) % classes { 1.0 } else { 0.0 };
    let targets: Vec<f32> = (0..rows * classes).map(target).collect();
    let inputs = inputs(precision, input, shape, device);
    ClassificationBatch::new(inputs, &targets, &vec![1.0; rows], rows as f64, device, precision)
}

/// Random images or tokens.
pub(super) fn inputs(
    precision: Precision,
    input: ClassifierInput,
    [rows, length]: [usize; 2],
    device: &Device,
) -> ClassifierInputs {
    let stream = Key::root(0).purpose(Purpose::Synthetic).sample(0);
    match input {
        ClassifierInput::Images(image) => {
            let shape = [rows, image.height, image.width, image.channels];
            let count: usize = shape.iter().product();
            let pixels: Vec<f32> = stream.normals().take(count).map(|x| x as f32).collect();
            ClassifierInputs::images(&pixels, shape, device, precision)
        }
        ClassifierInput::Tokens { vocabulary } => {
            let id = |i: u64| (stream.uniform(i) * vocabulary as f64) as u32;
            let ids: Vec<u32> = (0..(rows * length) as u64).map(id).collect();
            ClassifierInputs::tokens(&ids, [rows, length], device)
        }
    }
}
