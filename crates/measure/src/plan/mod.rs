//! What a config will take before it is run: parameters, arithmetic, memory and time.
//!
//! Parameters and arithmetic are counted. Memory and time are extrapolated from updates of the same model with one block
//! and with a few, on made-up data, on this machine.

mod calibration;
mod estimate;
mod made_up;
mod stage;
mod trials;

use mixlab_nn::ClassifierInput;
use mixlab_train::{Config, DataDescription, Description, Observer, TrainError, describe};
use serde::Serialize;

pub use self::estimate::Setting;
use self::estimate::{candidates, chunkings};
use self::trials::Trials;
use crate::cost::MultiplyAdds;
use crate::memory::{MEBI, memory_mib, peak_memory_mib};

// Three constants of the allocator and the runtime, fitted on one machine to the peaks of 17 shipped configs, which they meet within
// 8 %; settings they were not fitted to are met within 15 %.

/// MiB of code, threads and tables that a run touches beyond what the program has when it begins.
const RUNTIME: f64 = 35.0;
/// The share of the pages left over from reading and tokenizing that tensors do not take again.
const LEFT_OVER: f64 = 0.45;
/// What the allocator holds over what it is asked for: sizes are rounded up, and blocks leave gaps.
const HELD: f64 = 1.13;

/// Values of parameters by what they belong to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Parameters {
    /// What turns inputs into vectors.
    pub embedding: usize,
    /// Token mixers, and attention between two stacks.
    pub mixers: usize,
    /// Channel mixers.
    pub channels: usize,
    /// Norms and residual schemes.
    pub norms: usize,
    /// The output projection or readout; of a tied projection nothing.
    pub head: usize,
}

impl Parameters {
    fn of(description: &Description) -> Self {
        let mut parameters = Parameters::default();
        for parameter in &description.parameters {
            let path = parameter.path.as_str();
            let place = if path.starts_with("embedding.") {
                &mut parameters.embedding
            } else if path.contains(".channel.mixer.") {
                &mut parameters.channels
            } else if path.contains(".mixer.") || path.contains(".cross.attention.") {
                &mut parameters.mixers
            } else if ["backbone.", "encoder.", "decoder."].iter().any(|stack| path.starts_with(stack)) {
                &mut parameters.norms
            } else {
                &mut parameters.head
            };
            *place += parameter.size;
        }
        parameters
    }

    /// All of them.
    pub fn total(&self) -> usize {
        self.embedding + self.mixers + self.channels + self.norms + self.head
    }
}

/// Memory in MiB by what holds it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MemoryPlan {
    /// The program with its data.
    pub program: f64,
    /// Parameters, averages of them included.
    pub parameters: f64,
    /// Gradients.
    pub gradients: f64,
    /// State of the optimiser.
    pub optimizer: f64,
    /// What the forward pass keeps for the backward pass, and what kernels put aside for a while.
    pub activations: f64,
    /// The most the process will hold at any moment.
    pub peak: f64,
}

/// One way to run an update, with what it takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Proposal {
    /// Rows and recomputation.
    #[serde(flatten)]
    pub setting: Setting,
    /// Predicted peak memory of the process in MiB.
    pub peak_mib: f64,
    /// Predicted milliseconds of an update.
    pub milliseconds: f64,
}

/// What a config will take.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanReport {
    /// Parameter values by part.
    pub parameters: Parameters,
    /// Multiply–adds of the forward pass of one update, by part.
    pub multiply_adds: MultiplyAdds,
    /// Operations of an update, in 10⁹.
    pub gigaoperations: f64,
    /// Memory by what holds it.
    pub memory: MemoryPlan,
    /// Predicted milliseconds of an update.
    pub milliseconds: f64,
    /// Positions an update reads a second.
    pub positions_per_second: f64,
    /// Rows and recomputation as configured.
    pub setting: Setting,
    /// Settings that fit a budget, the fastest first, if one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposals: Option<Vec<Proposal>>,
}

/// Plans a config; with a budget in bytes it also proposes settings that fit.
///
/// # Errors
/// Whatever would keep the run from starting; a budget in which not one row fits.
pub fn plan(
    config: &Config,
    budget: Option<u64>,
    observer: &mut dyn Observer,
) -> Result<PlanReport, TrainError> {
    let resident = || memory_mib(std::process::id()).unwrap_or(0.0);
    let begin = resident();
    if config.objective.adversarial().is_some() {
        return Err(no_plan());
    }
    let description = describe(config)?;
    let read = resident() - begin;
    let data_peak = peak_memory_mib(std::process::id());
    observer.phase("trying shallow models");
    let [_, rows, length] = description.batch;
    let setting = Setting {
        batch: config.train.batch,
        accumulation: config.train.accumulation,
        segment: config.model.recompute.segment(),
        chunk: config.objective.contrastive().map(|objective| objective.rows_at_once(rows, length)),
    };
    let trials = Trials::run(config, &description, setting, budget)?;
    let program = begin + RUNTIME + LEFT_OVER * read.max(0.0) + data_mib(&description.data);
    let peak = |setting| (program + HELD * trials.bytes(setting) / MEBI).max(data_peak.unwrap_or(0.0));
    let multiply_adds = arithmetic(config, &description);
    let milliseconds = 1e3 * trials.seconds(setting);
    let positions: usize = description.batch.iter().product();
    let memory = &description.memory;
    let mib = |bytes: u64| bytes as f64 / MEBI;
    Ok(PlanReport {
        parameters: Parameters::of(&description),
        gigaoperations: multiply_adds.update_operations() / 1e9,
        multiply_adds,
        memory: MemoryPlan {
            program,
            parameters: mib(memory.parameters + memory.average),
            gradients: mib(memory.gradients),
            optimizer: mib(memory.optimizer),
            activations: trials.activations(setting) / MEBI,
            peak: peak(setting),
        },
        milliseconds,
        positions_per_second: 1e3 * positions as f64 / milliseconds,
        proposals: budget.map(|budget| propose(&trials, setting, budget, &peak)).transpose()?,
        setting,
    })
}

/// The three fastest settings that fit.
fn propose(
    trials: &Trials,
    setting: Setting,
    budget: u64,
    peak: &dyn Fn(Setting) -> f64,
) -> Result<Vec<Proposal>, TrainError> {
    let proposal =
        |setting| Proposal { setting, peak_mib: peak(setting), milliseconds: 1e3 * trials.seconds(setting) };
    let settings = match setting.chunk {
        Some(_) => chunkings(setting, setting.batch * trials.stack.rows),
        None => candidates(setting, trials.stack.depth * trials.stack.layers),
    };
    let all: Vec<Proposal> = settings.into_iter().map(proposal).collect();
    let least = all.iter().map(|proposal| proposal.peak_mib).fold(f64::INFINITY, f64::min);
    let mut fitting: Vec<Proposal> =
        all.into_iter().filter(|proposal| proposal.peak_mib * MEBI <= budget as f64).collect();
    if fitting.is_empty() {
        return Err(TrainError::OutOfRange {
            key: "--memory",
            found: format!("{:.0} MiB", budget as f64 / MEBI),
            expected: format!("at least {:.0} MiB, which one row at a time needs", least.ceil()),
        });
    }
    fitting.sort_by(|a, b| a.milliseconds.total_cmp(&b.milliseconds));
    fitting.truncate(3);
    Ok(fitting)
}

/// Why an adversarial run is not planned.
fn no_plan() -> TrainError {
    TrainError::Conflict {
        first: "objective.kind = \"adversarial\"".into(),
        second: "a plan".into(),
        reason: "what is predicted is one stack of blocks over a sequence, and here are two networks in turn"
            .into(),
        remedy: "time an update with `mixlab measure step`".into(),
    }
}

/// MiB of the data as they are kept while training.
fn data_mib(data: &DataDescription) -> f64 {
    let bytes = match data {
        DataDescription::Text { train_tokens, evaluate_tokens, .. } => {
            4.0 * (*train_tokens as f64 + *evaluate_tokens as f64)
        }
        DataDescription::Contrastive { input: ClassifierInput::Images(image), train, evaluate, .. } => {
            ((train + evaluate) * image.height * image.width * image.channels) as f64
        }
        DataDescription::Contrastive { input: ClassifierInput::Tokens { .. }, .. }
        | DataDescription::Samples { .. } => 0.0,
        DataDescription::Sentences { length, train, evaluate, .. } => {
            4.0 * ((train + evaluate) * length) as f64
        }
        DataDescription::Pairs { lengths, train, evaluate, .. } => {
            4.0 * (train + evaluate) as f64 * (lengths[0] + lengths[1]) as f64
        }
        DataDescription::Examples { input, train, evaluate, .. } => match input {
            ClassifierInput::Images(image) => {
                ((train + evaluate) * image.height * image.width * image.channels) as f64
            }
            ClassifierInput::Tokens { .. } => 0.0,
        },
    };
    bytes / MEBI
}

/// Multiply–adds of the forward pass of one update.
pub(crate) fn arithmetic(config: &Config, description: &Description) -> MultiplyAdds {
    let [accumulation, rows, length] = description.batch;
    let rows = (accumulation * rows, length);
    match &description.data {
        DataDescription::Text { vocabulary, .. } => {
            let causal = config.objective.is_causal();
            let targets = config.objective.share_of_targets();
            MultiplyAdds::of_language_model(&config.model, *vocabulary, rows, causal, targets)
        }
        DataDescription::Contrastive { input, rows: all, columns, .. } => {
            let (all, examples) = (*all, *all / *columns);
            let (anchors, candidates) = if *columns == 1 { (all, all) } else { (examples, all - examples) };
            let model = config.model.for_embedder_input(*input).unwrap_or_else(|_| config.model.clone());
            MultiplyAdds {
                head: (accumulation * anchors * candidates * config.model.embedding_width()) as u64,
                ..MultiplyAdds::of_classifier(&model, *input, 0, rows)
            }
        }
        // Networks without a sequence are not counted.
        DataDescription::Samples { .. } => MultiplyAdds::default(),
        DataDescription::Sentences { vocabulary, .. } => {
            MultiplyAdds::of_text_vae(&config.model, *vocabulary, rows)
        }
        DataDescription::Pairs { vocabulary, lengths, .. } => match config.model.encoder {
            Some(_) => MultiplyAdds::of_sequence_to_sequence(&config.model, *vocabulary, rows.0, *lengths),
            None => {
                let targets = lengths[1] as f64 / length as f64;
                MultiplyAdds::of_language_model(&config.model, *vocabulary, rows, true, targets)
            }
        },
        DataDescription::Examples { input, classes, .. } => {
            let model = config.model.for_input(*input).unwrap_or_else(|_| config.model.clone());
            MultiplyAdds::of_classifier(&model, *input, classes.len(), rows)
        }
    }
}
