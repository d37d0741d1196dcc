//! What an audit is made of: a stack in double precision, beside it in its own, and a direction.

use std::path::Path;

use burn::tensor::Device;
use mixlab_core::{Key, Precision, Purpose};
use mixlab_nn::{ClassifierInput, ModelConfig, ModelError, parameter_values};
use mixlab_train::{
    ClassifierFolder, Config, DataDescription, EmbedderFolder, ModelFolder, ModelKind, ObjectiveConfig,
    TrainError, describe, read_kind,
};

use super::{Audited, Reads, Stack};

/// Rows of the embedding of a model that has no tokenizer yet: promises do not depend on their number.
const VOCABULARY: usize = 256;

/// A stack under audit.
#[derive(Clone, Debug)]
pub struct Subject<A> {
    /// The stack in double precision, where equal means equal.
    pub exact: A,
    /// The same stack in the precision of the model, if that is another one.
    pub own: Option<A>,
    /// Whether positions see only what is before them.
    pub causal: bool,
}

impl Reads {
    /// What an embedding model reads: its stack is that of a language model, or of a classifier of images.
    fn embedded(input: ClassifierInput) -> Reads {
        match input {
            ClassifierInput::Tokens { vocabulary } => Reads::Text { vocabulary },
            ClassifierInput::Images(_) => Reads::Classified { input, classes: 1 },
        }
    }

    /// What the model of a config reads. Of a classifier the data say so, and are read for it.
    fn of(config: &Config) -> Result<Reads, TrainError> {
        match config.objective {
            ObjectiveConfig::CausalLm
            | ObjectiveConfig::MaskedLm { .. }
            | ObjectiveConfig::SequenceToSequence { .. }
            | ObjectiveConfig::SpanCorruption { .. }
            | ObjectiveConfig::TextVae(_) => Ok(Reads::Text { vocabulary: VOCABULARY }),
            ObjectiveConfig::Contrastive(_) if !config.objective.may_read_images() => {
                Ok(Reads::Text { vocabulary: VOCABULARY })
            }
            ObjectiveConfig::Adversarial(_) => Err(two_networks()),
            ObjectiveConfig::Contrastive(_) | ObjectiveConfig::Classification { .. } => {
                Ok(match describe(config)?.data {
                    DataDescription::Examples { input, classes, .. } => {
                        Reads::Classified { input, classes: classes.len() }
                    }
                    DataDescription::Contrastive { input, .. } => Reads::embedded(input),
                    DataDescription::Text { vocabulary, .. }
                    | DataDescription::Sentences { vocabulary, .. }
                    | DataDescription::Pairs { vocabulary, .. } => Reads::Text { vocabulary },
                    DataDescription::Samples { .. } => return Err(two_networks()),
                })
            }
        }
    }
}

/// Why a generator with its critic is not audited.
fn two_networks() -> TrainError {
    TrainError::Conflict {
        first: "objective.kind = \"adversarial\"".into(),
        second: "an audit".into(),
        reason: "promises are those of one stack of blocks that reads a sequence".into(),
        remedy: "measure its critic with `mixlab measure lipschitz RUN`".into(),
    }
}

/// Why an encoder–decoder is not audited.
fn two_stacks() -> TrainError {
    TrainError::Conflict {
        first: "model.encoder".into(),
        second: "an audit".into(),
        reason: "promises are those of one stack of blocks".into(),
        remedy: "audit a config without `model.encoder`: the decoder with `objective.kind = \"causal_lm\"`, the encoder \
                 with \"masked_lm\""
            .into(),
    }
}

/// Why a trained text VAE is not audited.
fn two_ways() -> TrainError {
    TrainError::Conflict {
        first: "a trained text VAE".into(),
        second: "an audit".into(),
        reason: "its stack reads both sides of a text, and writes one way behind its latents".into(),
        remedy: "audit its config: each way of the stack by itself, with `objective.kind = \"causal_lm\"` or \"masked_lm\""
            .into(),
    }
}

impl Subject<Stack> {
    /// The model of a config with its first values moved, as [`Stack::moved`] does.
    ///
    /// # Errors
    /// What is wrong with the config.
    pub fn of_config(config: &Config) -> Result<Self, TrainError> {
        config.validate()?;
        if config.model.encoder.is_some() {
            return Err(two_stacks());
        }
        let (reads, causal) = (Reads::of(config)?, config.objective.is_causal());
        let (device, run) = (config.run.device.device(), &config.run);
        Ok(Subject::of_model(&config.model, reads, causal, run.seed, &device, run.precision)?)
    }

    /// A model with its first values moved.
    ///
    /// # Errors
    /// What is wrong with the config, or a direction it has no form for.
    pub fn of_model(
        config: &ModelConfig,
        reads: Reads,
        causal: bool,
        seed: u64,
        device: &Device,
        precision: Precision,
    ) -> Result<Self, ModelError> {
        config.check_direction(causal)?;
        let key = Key::root(seed).purpose(Purpose::Synthetic);
        Subject::of_stack(Stack::new(config, reads, seed, device, precision)?.moved(key), causal)
    }

    /// The trained model of a folder as it is.
    ///
    /// # Errors
    /// A damaged folder, or an encoder–decoder.
    pub fn of_path(path: &Path, device: &Device) -> Result<Self, TrainError> {
        match read_kind(path)? {
            ModelKind::Classifier => Subject::of_classifier(&ClassifierFolder::load(path, device)?, device),
            ModelKind::LanguageModel => Subject::of_folder(&ModelFolder::load(path, device)?, device),
            ModelKind::SequenceToSequence => Err(two_stacks()),
            ModelKind::TextVae => Err(two_ways()),
            ModelKind::Generator => Err(two_networks()),
            ModelKind::EmbeddingModel => Subject::of_embedder(&EmbedderFolder::load(path, device)?, device),
        }
    }

    /// A trained language model as it is.
    ///
    /// # Errors
    /// A model that cannot be built again.
    pub fn of_folder(folder: &ModelFolder, device: &Device) -> Result<Self, TrainError> {
        let description = &folder.config;
        let reads = Reads::Text { vocabulary: description.vocabulary };
        let causal = description.objective.is_causal();
        let stack = Stack::new(&description.model, reads, 0, device, description.precision)?;
        Ok(Subject::of_stack(stack.with_values(parameter_values(&folder.model)), causal)?)
    }

    /// The stack of a trained embedding model as it is.
    ///
    /// # Errors
    /// A model that cannot be built again.
    pub fn of_embedder(folder: &EmbedderFolder, device: &Device) -> Result<Self, TrainError> {
        let description = &folder.config;
        let reads = Reads::embedded(description.input.of_model());
        let stack = Stack::new(&description.model, reads, 0, device, description.precision)?;
        Ok(Subject::of_stack(stack.with_values(parameter_values(&folder.model)), false)?)
    }

    /// A trained classifier as it is.
    ///
    /// # Errors
    /// A model that cannot be built again.
    pub fn of_classifier(folder: &ClassifierFolder, device: &Device) -> Result<Self, TrainError> {
        let description = &folder.config;
        let reads = Reads::Classified { input: description.input, classes: description.classes.len() };
        let stack = Stack::new(&description.model, reads, 0, device, description.precision)?;
        Ok(Subject::of_stack(stack.with_values(parameter_values(&folder.model)), false)?)
    }

    fn of_stack(stack: Stack, causal: bool) -> Result<Self, ModelError> {
        Ok(match stack.precision() {
            Precision::F64 => Subject { exact: stack, own: None, causal },
            Precision::F32 => {
                Subject { exact: stack.in_precision(Precision::F64)?, own: Some(stack), causal }
            }
        })
    }

    /// The architecture, for the lengths to audit it at.
    pub fn config(&self) -> &ModelConfig {
        self.exact.config()
    }
}
