//! A trained classifier on disk: `config.json`, `model.safetensors`, and for text `tokenizer.json`.

use std::path::Path;

use burn::tensor::Device;
use mixlab_core::Precision;
use mixlab_data::{ImageInput, Tokenizer};
use mixlab_nn::{Classifier, ClassifierInput, ModelConfig, with_parameters};
use serde::{Deserialize, Serialize};

use crate::model_folder::{Described, ModelKind, read_description_of, read_tokenizer, read_weights};
use crate::parameters::read_parameters;
use crate::storage::Checksum;
use crate::{ObjectiveConfig, TrainError};

/// What `config.json` of a classifier says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassifierDescription {
    /// Version of this layout.
    pub format: u32,
    /// The architecture.
    pub model: ModelConfig,
    /// What the model was trained to do.
    pub objective: ObjectiveConfig,
    /// What the model reads.
    pub input: ClassifierInput,
    /// How images become its inputs, if it reads images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<ImageInput>,
    /// Fingerprint of its tokenizer, if it reads text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<String>,
    /// Names of the classes, in the order of the logits.
    pub classes: Vec<String>,
    /// Positions of a sequence.
    pub length: usize,
    /// Type of the parameters.
    pub precision: Precision,
    /// Size and hash of `model.safetensors`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<Checksum>,
}

impl Described for ClassifierDescription {
    fn weights(&mut self) -> &mut Option<Checksum> {
        &mut self.weights
    }
}

/// A classifier with its description, ready for use.
pub struct ClassifierFolder {
    /// The description.
    pub config: ClassifierDescription,
    /// The model, without gradient tracking.
    pub model: Classifier,
    /// Text to numbers, if it reads text.
    pub tokenizer: Option<Tokenizer>,
}

impl ClassifierFolder {
    /// Reads a model folder onto `device`.
    ///
    /// # Errors
    /// A file that is missing, truncated, changed or does not fit the others; [`TrainError::OtherModel`] for
    /// another kind of model.
    pub fn load(path: &Path, device: &Device) -> Result<Self, TrainError> {
        let config: ClassifierDescription = read_description_of(path, ModelKind::Classifier)?;
        let tokenizer =
            config.tokenizer.as_deref().map(|expected| read_tokenizer(path, expected)).transpose()?;
        let classes = config.classes.len();
        let model = config.model.build_classifier(config.input, classes, 0, device, config.precision)?;
        let file = read_weights(path, config.weights.as_ref())?;
        let values = read_parameters(&model, file, device, config.precision)?;
        Ok(ClassifierFolder { model: with_parameters(model, values), config, tokenizer })
    }
}
