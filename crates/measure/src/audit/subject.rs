//! What an audit is made of: a stack in double precision, beside it in its own, and a direction.

use burn::tensor::Device;
use mixlab_core::{Key, Precision, Purpose};
use mixlab_nn::{ModelConfig, ModelError, parameter_values};
use mixlab_train::{
    ClassifierFolder, Config, DataDescription, ModelFolder, ObjectiveConfig, TrainError, describe,
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
    /// What the model of a config reads. Of a classifier the data say so, and are read for it.
    fn of(config: &Config) -> Result<Reads, TrainError> {
        match config.objective {
            ObjectiveConfig::CausalLm | ObjectiveConfig::MaskedLm { .. } => {
                Ok(Reads::Text { vocabulary: VOCABULARY })
            }
            ObjectiveConfig::Classification { .. } => Ok(match describe(config)?.data {
                DataDescription::Examples { input, classes, .. } => {
                    Reads::Classified { input, classes: classes.len() }
                }
                DataDescription::Text { vocabulary, .. } => Reads::Text { vocabulary },
            }),
        }
    }
}

impl Subject<Stack> {
    /// The model of a config with its first values moved, as [`Stack::moved`] does.
    ///
    /// # Errors
    /// What is wrong with the config.
    pub fn of_config(config: &Config) -> Result<Self, TrainError> {
        config.validate()?;
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
