//! The size of a run before it begins.

use burn::module::Module;
use mixlab_data::{Enclosure, PointSet, RowInputs};
use mixlab_nn::{Classifier, ClassifierInput, NamedParameter, named_parameters};
use serde::Serialize;

use crate::adversarial::{AdversarialConfig, AdversarialData};
use crate::prepare::Prepared;
use crate::task::{ContrastiveData, Examples, PairData, TypicalPairs};
use crate::text_vae::{TextVaeData, TypicalSentences};
use crate::{Config, Silent, TrainError, prepare};

/// Characters of text shown of the first batch.
const EXCERPT: usize = 400;

/// Bytes of memory by what holds them. `activations` is an estimate, the others are exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Parameters.
    pub parameters: u64,
    /// Gradients.
    pub gradients: u64,
    /// State of the optimiser.
    pub optimizer: u64,
    /// Averaged parameters.
    pub average: u64,
    /// What the forward pass keeps for the backward pass of one batch: for every weight matrix its
    /// input and its output at every position; with recomputation those of one segment, and every segment's input.
    pub activations: u64,
}

impl Memory {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.parameters + self.gradients + self.optimizer + self.average + self.activations
    }
}

/// The size of one parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ParameterSize {
    /// Dotted path.
    pub path: String,
    /// Shape.
    pub shape: Vec<usize>,
    /// Number of values.
    pub size: usize,
}

/// What a run would be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Description {
    /// Every parameter, in the order of the model.
    pub parameters: Vec<ParameterSize>,
    /// Number of parameter values.
    pub parameter_count: usize,
    /// Memory while training.
    pub memory: Memory,
    /// Batches in an update, rows in a batch, positions in a row.
    pub batch: [usize; 3],
    /// How often the run goes through the training data.
    pub epochs: f64,
    /// What it is trained on.
    pub data: DataDescription,
}

/// What a run is trained on and measured on.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DataDescription {
    /// Running text.
    Text {
        /// Number of tokens in the vocabulary.
        vocabulary: usize,
        /// Tokens of the training text.
        train_tokens: usize,
        /// Tokens of the held-out text.
        evaluate_tokens: u64,
        /// Bytes of the held-out text.
        evaluate_bytes: u64,
        /// The beginning of the first row of the first batch, as text.
        excerpt: String,
    },
    /// Examples with labels.
    Examples {
        /// What the model reads.
        input: ClassifierInput,
        /// Names of the classes.
        classes: Vec<String>,
        /// Examples to train on.
        train: usize,
        /// Examples to measure on.
        evaluate: usize,
    },
    /// What belongs together.
    Contrastive {
        /// What the model reads.
        input: ClassifierInput,
        /// Texts or images of a batch.
        rows: usize,
        /// Texts of an example, or 1 where it is seen twice.
        columns: usize,
        /// Examples to train on.
        train: usize,
        /// Examples to measure on.
        evaluate: usize,
        /// The texts of the first example; none of images.
        texts: Vec<String>,
    },
    /// Sentences, each by itself.
    Sentences {
        /// Number of tokens in the vocabulary.
        vocabulary: usize,
        /// Positions of a row of a batch, padding included: the mean of the first batches.
        length: usize,
        /// Positions of the longest of these batches over those of a typical one.
        longest: f64,
        /// The share of positions that is not padding.
        real: f64,
        /// Sentences to train on.
        train: usize,
        /// Sentences to measure on.
        evaluate: usize,
        /// The first sentence of the first batch.
        text: String,
    },
    /// Samples to make others like.
    Samples {
        /// Channels, rows and columns of a sample.
        shape: [usize; 3],
        /// The points, if samples are points.
        points: Option<&'static str>,
        /// Names of the classes that the networks are told.
        classes: Vec<String>,
        /// Samples to train on; absent: as many as are asked for.
        train: Option<usize>,
        /// Samples to measure on; 0 if those of the training are taken, or fresh points.
        evaluate: usize,
        /// Weights of the generator and of the critic.
        networks: [usize; 2],
    },
    /// Sources with their targets.
    Pairs {
        /// Number of tokens in the vocabulary, sentinels included.
        vocabulary: usize,
        /// Positions of sources and targets in a batch, padding included: the mean of the first batches.
        lengths: [usize; 2],
        /// Positions of the longest of these batches over those of a typical one.
        longest: f64,
        /// The share of positions that is not padding.
        real: [f64; 2],
        /// Pairs to train on; of running text, rows of it.
        train: usize,
        /// Pairs to measure on.
        evaluate: usize,
        /// The first source of the first batch, as text.
        source: String,
        /// Its target.
        target: String,
    },
}

impl DataDescription {
    /// Number of tokens in the vocabulary, of data that are text.
    pub fn vocabulary(&self) -> Option<usize> {
        match self {
            DataDescription::Text { vocabulary, .. }
            | DataDescription::Pairs { vocabulary, .. }
            | DataDescription::Sentences { vocabulary, .. }
            | DataDescription::Contrastive { input: ClassifierInput::Tokens { vocabulary }, .. }
            | DataDescription::Examples { input: ClassifierInput::Tokens { vocabulary }, .. } => {
                Some(*vocabulary)
            }
            DataDescription::Contrastive { input: ClassifierInput::Images(_), .. }
            | DataDescription::Examples { input: ClassifierInput::Images(_), .. }
            | DataDescription::Samples { .. } => None,
        }
    }

    /// Positions of the longest batch over those of a typical one.
    pub fn longest(&self) -> f64 {
        match self {
            DataDescription::Pairs { longest, .. } | DataDescription::Sentences { longest, .. } => *longest,
            _ => 1.0,
        }
    }
}

impl Description {
    /// Of a model about to be trained.
    pub fn new<M: Module>(config: &Config, data: &Prepared, model: &M) -> Self {
        let parameters = named_parameters(model);
        let parameter_count: usize = parameters.iter().map(NamedParameter::size).sum();
        let first = data.train.batch(0, 0);
        let text = data.tokenizer.decode(&first.inputs[..first.length]);
        Description {
            memory: memory(config, &parameters, config.train.length),
            parameter_count,
            batch: [config.train.accumulation, config.train.batch, config.train.length],
            epochs: data.train.epochs(config.train.steps),
            parameters: sizes(parameters),
            data: DataDescription::Text {
                vocabulary: data.tokenizer.vocabulary(),
                train_tokens: data.train.corpus().tokens(),
                evaluate_tokens: data.evaluation.as_ref().map_or(0, |data| data.tokens()),
                evaluate_bytes: data.evaluation.as_ref().map_or(0, |data| data.bytes()),
                excerpt: text.chars().take(EXCERPT).collect(),
            },
        }
    }

    /// Of a classifier about to be trained; an example has `length` positions.
    pub(crate) fn of_classifier(config: &Config, data: &Examples, model: &Classifier, length: usize) -> Self {
        let parameters = named_parameters(model);
        Description {
            memory: memory(config, &parameters, length),
            parameter_count: parameters.iter().map(NamedParameter::size).sum(),
            batch: [config.train.accumulation, config.train.batch, length],
            epochs: data.epochs(config.train.steps),
            parameters: sizes(parameters),
            data: DataDescription::Examples {
                input: data.input(),
                classes: data.classes().to_vec(),
                train: data.count(),
                evaluate: data.evaluation().map_or(0, |data| data.count()),
            },
        }
    }

    /// Of an embedding model about to be trained.
    pub(crate) fn of_contrastive<M: Module>(config: &Config, data: &ContrastiveData, model: &M) -> Self {
        let parameters = named_parameters(model);
        let first = data.train.batch(0, 0);
        let length = first.positions(data.image_positions());
        let columns = data.train.rows().columns();
        let texts = match (&first.inputs, data.tokenizer()) {
            (RowInputs::Tokens { ids, padding, .. }, Some(tokenizer)) => {
                let frame = tokenizer.frame();
                let text = |row: usize| {
                    let at = row * length..(row + 1) * length;
                    let real = padding[at.clone()].iter().filter(|&&real| real).count();
                    let ids = &ids[at][frame.prefix.len()..real - frame.suffix.len()];
                    tokenizer.decode(ids).chars().take(EXCERPT).collect()
                };
                (0..columns).map(|column| text(column * first.examples)).collect()
            }
            _ => Vec::new(),
        };
        let evaluate = data.evaluation.as_ref().map_or(0, |rows| rows.len());
        Description {
            memory: memory(config, &parameters, length),
            parameter_count: parameters.iter().map(NamedParameter::size).sum(),
            batch: [config.train.accumulation, first.rows, length],
            epochs: data.train.epochs(config.train.steps),
            parameters: sizes(parameters),
            data: DataDescription::Contrastive {
                input: data.input(),
                rows: first.rows,
                columns,
                train: data.train.rows().len(),
                evaluate,
                texts,
            },
        }
    }

    /// Of a text VAE about to be trained. A row goes through the stack twice, as a text to read and as one to write.
    pub(crate) fn of_sentences<M: Module>(config: &Config, data: &TextVaeData, model: &M) -> Self {
        let parameters = named_parameters(model);
        let first = data.train.batch(0, 0).rows.swap_remove(0);
        let TypicalSentences { length, longest, real } = data.typical();
        let text = data.tokenizer.decode(Enclosure::text(&first));
        Description {
            memory: memory(config, &parameters, 2 * length),
            parameter_count: parameters.iter().map(NamedParameter::size).sum(),
            batch: [config.train.accumulation, config.train.batch, length],
            epochs: data.train.epochs(config.train.steps),
            parameters: sizes(parameters),
            data: DataDescription::Sentences {
                vocabulary: data.tokenizer.vocabulary(),
                length,
                longest,
                real,
                train: data.train.sentences(),
                evaluate: data.evaluation.as_ref().map_or(0, |data| data.sentences()),
                text: text.chars().take(EXCERPT).collect(),
            },
        }
    }

    /// Of a generator about to be trained against a critic.
    pub(crate) fn of_adversarial<G: Module, C: Module>(
        config: &Config,
        objective: &AdversarialConfig,
        data: &AdversarialData,
        (generator, critic): (&G, &C),
    ) -> Self {
        let of = |prefix: &str, parameters: Vec<NamedParameter>| -> Vec<NamedParameter> {
            let named = |parameter: NamedParameter| NamedParameter {
                path: format!("{prefix}.{}", parameter.path),
                ..parameter
            };
            parameters.into_iter().map(named).collect()
        };
        let networks = [of("generator", named_parameters(generator)), of("critic", named_parameters(critic))];
        let counts = networks.each_ref().map(|network| network.iter().map(NamedParameter::size).sum());
        let parameters = networks.concat();
        let shape = data.shape();
        let classes = if objective.conditional { data.classes().to_vec() } else { Vec::new() };
        Description {
            memory: memory(config, &parameters, 1),
            parameter_count: parameters.iter().map(NamedParameter::size).sum(),
            batch: [objective.critic_steps, config.train.batch, 1],
            epochs: data.epochs(config.train.steps),
            parameters: sizes(parameters),
            data: DataDescription::Samples {
                shape: [shape.channels, shape.height, shape.width],
                points: data.points().map(PointSet::name),
                classes,
                train: data.count(),
                evaluate: data.held_out_count(),
                networks: counts,
            },
        }
    }

    /// Of a model about to learn to write targets.
    pub(crate) fn of_pairs<M: Module>(config: &Config, data: &PairData, model: &M) -> Self {
        let parameters = named_parameters(model);
        let first = data.train(0, 0, config.run.seed);
        let text = |ids: &[u32], length: usize| {
            let end = data.tokenizer.end_of_text();
            let ids: Vec<u32> = ids[..length].iter().copied().take_while(|&id| id != end).collect();
            data.tokenizer.decode_with_sentinels(&ids).chars().take(EXCERPT).collect()
        };
        let TypicalPairs { lengths: lengths @ [source, target], longest, real } =
            data.typical(config.run.seed);
        let length = if data.shape.joined { source + target - 1 } else { source.max(target) };
        let positions = if data.shape.joined { length } else { source + target };
        Description {
            memory: memory(config, &parameters, length),
            parameter_count: parameters.iter().map(NamedParameter::size).sum(),
            batch: [config.train.accumulation, config.train.batch, positions],
            epochs: data.epochs(config.train.steps),
            parameters: sizes(parameters),
            data: DataDescription::Pairs {
                vocabulary: config.vocabulary(&data.tokenizer),
                lengths,
                longest,
                real,
                train: data.count(),
                evaluate: data.evaluation.as_ref().map_or(0, |data| data.count()),
                source: text(&first.sources, first.source_length),
                target: text(&first.targets, first.target_length),
            },
        }
    }
}

fn sizes(parameters: Vec<NamedParameter>) -> Vec<ParameterSize> {
    let size = |parameter: NamedParameter| ParameterSize {
        size: parameter.size(),
        path: parameter.path,
        shape: parameter.shape,
    };
    parameters.into_iter().map(size).collect()
}

fn memory(config: &Config, parameters: &[NamedParameter], length: usize) -> Memory {
    let number = config.run.precision.size() as u64;
    let values: u64 = parameters.iter().map(|parameter| parameter.size() as u64).sum();
    let positions = (config.train.batch * length) as u64;
    // Embedding and output projection are left out: they look rows up, and logits are never held whole.
    let matrices = parameters
        .iter()
        .filter(|parameter| parameter.shape.len() == 2 && parameter.path.contains("blocks."));
    let all: u64 = matrices.map(|matrix| matrix.shape.iter().sum::<usize>() as u64).sum();
    let blocks = config.model.blocks().max(1) as u64;
    let per_position = match config.model.recompute.segment() {
        None => all,
        Some(segment) => {
            let segment = (segment as u64).min(blocks);
            all * segment / blocks + blocks.div_ceil(segment) * config.model.width as u64
        }
    };
    Memory {
        parameters: number * values,
        gradients: number * values,
        optimizer: number * values * config.optimizer.state_names().len() as u64,
        average: if config.train.ema.decay > 0.0 { number * values } else { 0 },
        activations: number * positions * per_position,
    }
}

/// What a run of this configuration would be, without starting it.
///
/// # Errors
/// Whatever would keep the run from starting.
pub fn describe(config: &Config) -> Result<Description, TrainError> {
    Ok(prepare::task(config, None, &mut Silent)?.describe())
}
