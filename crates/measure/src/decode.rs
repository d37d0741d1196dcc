//! The time of one more token while a text grows.

use std::time::Instant;

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use mixlab_nn::{LanguageModel, ModelState};
use mixlab_train::{Config, Observer, SamplingConfig, Task, TrainError, language_task};
use serde::Serialize;

use crate::memory::peak_memory_mib;

/// How long a text is written and how it is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeOptions {
    /// Tokens before the clock starts.
    pub warm_up: usize,
    /// Length of the text at the end, warm-up included.
    pub tokens: usize,
    /// Equal windows, each timed by itself.
    pub windows: usize,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        DecodeOptions { warm_up: 1_000, tokens: 50_000, windows: 10 }
    }
}

/// Tokens `start..end` of the text.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Window {
    /// Number of tokens before it.
    pub start: usize,
    /// Number of tokens at its end.
    pub end: usize,
    /// Its tokens over its time.
    pub tokens_per_second: f64,
    /// Its time over that of the first window, which is written again in turn with it: what slows the machine for a
    /// while slows both. 1 for a mixer whose tokens always cost the same.
    pub time_over_first: f64,
}

/// What tokens take.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DecodeReport {
    /// The windows, in the order of the text.
    pub windows: Vec<Window>,
    /// All windows together.
    pub tokens_per_second: f64,
    /// Highest resident memory of the process, in MiB; absent where the system does not tell.
    pub peak_rss_mib: Option<f64>,
}

/// Slices of a window, each followed by one of the first window.
const SLICES: usize = 8;

/// Lets a freshly built model write one text greedily, token by token.
///
/// # Errors
/// What is wrong with the config or its data; [`TrainError::Model`] if the mixer cannot go token by token;
/// [`TrainError::OutOfRange`] if the text would be longer than the model is defined for, or too short for its windows.
pub fn measure_decode(
    config: &Config,
    options: DecodeOptions,
    observer: &mut dyn Observer,
) -> Result<DecodeReport, TrainError> {
    check(config, options)?;
    // The task knows the vocabulary; its model tracks gradients, so that another one is built.
    let task = language_task(config, None, observer)?;
    let vocabulary = task.describe().data.vocabulary().unwrap_or(0);
    drop(task);
    let device = config.run.device.device();
    let model = config.model.build(vocabulary, config.run.seed, &device, config.run.precision)?;
    observer.phase("measuring");
    let mut writer = Writer { state: model.state(1)?, model: &model, device: &device, token: 0 };
    writer.write(options.warm_up);
    let first = writer.clone();
    let count = options.tokens - options.warm_up;
    let end_of = |index: usize| options.warm_up + count * index / options.windows;
    let mut seconds = 0.0;
    let windows: Vec<Window> = (0..options.windows)
        .map(|index| {
            let (start, end) = (end_of(index), end_of(index + 1));
            let (taken, taken_first) = window(&mut writer, first.clone(), end - start);
            seconds += taken;
            let tokens_per_second = (end - start) as f64 / taken;
            Window { start, end, tokens_per_second, time_over_first: taken / taken_first }
        })
        .collect();
    Ok(DecodeReport {
        tokens_per_second: count as f64 / seconds,
        peak_rss_mib: peak_memory_mib(std::process::id()),
        windows,
    })
}

/// Seconds of as many tokens of two texts, written in turn.
fn window(writer: &mut Writer<'_>, mut first: Writer<'_>, tokens: usize) -> (f64, f64) {
    let (mut taken, mut taken_first) = (0.0, 0.0);
    for slice in 0..SLICES {
        let count = tokens * (slice + 1) / SLICES - tokens * slice / SLICES;
        taken += writer.timed(count);
        taken_first += first.timed(count);
    }
    (taken, taken_first)
}

fn check(config: &Config, options: DecodeOptions) -> Result<(), TrainError> {
    if !config.objective.is_causal() {
        return Err(TrainError::Conflict {
            first: "an objective that sees both sides".into(),
            second: "measuring generation".into(),
            reason: "the model cannot continue a text".into(),
            remedy: "add `--set objective.kind=causal_lm`".into(),
        });
    }
    let refuse =
        |key, found: usize, expected| Err(TrainError::OutOfRange { key, found: found.to_string(), expected });
    if options.windows == 0 {
        return refuse("--windows", 0, "1 or more".to_owned());
    }
    let least = options.warm_up.saturating_add(options.windows);
    if options.tokens < least {
        return refuse(
            "--tokens",
            options.tokens,
            format!("at least {least}, a token for every window after --warm-up"),
        );
    }
    match config.model.lengths(true).most() {
        Some(longest) if options.tokens > longest => {
            refuse("--tokens", options.tokens, format!("at most {longest}, for which this model is defined"))
        }
        _ => Ok(()),
    }
}

/// A text in the making.
#[derive(Clone)]
struct Writer<'a> {
    model: &'a LanguageModel,
    device: &'a Device,
    state: ModelState,
    token: u32,
}

impl Writer<'_> {
    fn timed(&mut self, tokens: usize) -> f64 {
        let begin = Instant::now();
        self.write(tokens);
        begin.elapsed().as_secs_f64()
    }

    fn write(&mut self, tokens: usize) {
        let greedy = SamplingConfig { temperature: 0.0, ..SamplingConfig::default() };
        for _ in 0..tokens {
            let data = TensorData::new(vec![i64::from(self.token)], [1, 1]);
            let token: Tensor<2, Int> = Tensor::from_data(data, (self.device, DType::I64));
            let hidden = self.model.step(token, &mut self.state);
            let logits: Vec<f64> = self.model.logits(hidden).into_data().iter::<f64>().collect();
            self.token = greedy.draw(&logits, 0.0);
        }
    }
}
