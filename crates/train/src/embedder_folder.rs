//! A trained embedding model on disk: `config.json`, `model.safetensors` and `tokenizer.json`.

use std::path::Path;

use burn::tensor::Device;
use mixlab_core::Precision;
use mixlab_data::{ContrastiveRows, ContrastiveTexts, DataError, Tokenizer};
use mixlab_nn::{ClassifierInput, EmbeddingModel, ModelConfig, with_parameters};
use serde::{Deserialize, Serialize};

use crate::model_folder::{Described, ModelKind, TOKENIZER, read_description_of, read_weights};
use crate::parameters::read_parameters;
use crate::storage::Checksum;
use crate::task::{contrastive, text_rows};
use crate::{ObjectiveConfig, TrainError};

/// What `config.json` of an embedding model says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmbedderDescription {
    /// Version of this layout.
    pub format: u32,
    /// The architecture.
    pub model: ModelConfig,
    /// What the model was trained to do.
    pub objective: ObjectiveConfig,
    /// Rows of the embedding.
    pub vocabulary: usize,
    /// Longest text it was trained on, in tokens with the one that begins it.
    pub length: usize,
    /// Type of the parameters.
    pub precision: Precision,
    /// What cosines were divided by at the end.
    pub temperature: f64,
    /// Fingerprint of the tokenizer it was trained with.
    pub tokenizer: String,
    /// Size and hash of `model.safetensors`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<Checksum>,
}

impl Described for EmbedderDescription {
    fn weights(&mut self) -> &mut Option<Checksum> {
        &mut self.weights
    }
}

/// An embedding model with its tokenizer and its description, ready for use.
pub struct EmbedderFolder {
    /// The description.
    pub config: EmbedderDescription,
    /// The model, without gradient tracking.
    pub model: EmbeddingModel,
    /// Text to numbers.
    pub tokenizer: Tokenizer,
}

impl EmbedderFolder {
    /// Reads a model folder onto `device`.
    ///
    /// # Errors
    /// [`TrainError::OtherModel`] if it holds another kind of model; a file that is missing, truncated, changed or does
    /// not fit the others.
    pub fn load(path: &Path, device: &Device) -> Result<Self, TrainError> {
        let config: EmbedderDescription = read_description_of(path, ModelKind::EmbeddingModel)?;
        let tokenizer = Tokenizer::load(&path.join(TOKENIZER))?;
        if tokenizer.fingerprint() != config.tokenizer {
            let (found, expected) = (tokenizer.fingerprint(), &config.tokenizer);
            let reason =
                format!("the tokenizer's fingerprint is {found}, the model was trained with {expected}");
            return Err(TrainError::TokenizerMismatch { path: path.to_owned(), reason });
        }
        config.model.check_length(config.length, false)?;
        let input = ClassifierInput::Tokens { vocabulary: config.vocabulary };
        let learned = contrastive(&config.objective).filter(|objective| objective.temperature.is_learned());
        let temperature = learned.map(|objective| objective.temperature.initial());
        let model = config.model.build_embedder(input, temperature, 0, device, config.precision)?;
        let file = read_weights(path, config.weights.as_ref())?;
        let values = read_parameters(&model, file, device, config.precision)?;
        Ok(EmbedderFolder { model: with_parameters(model, values), config, tokenizer })
    }

    /// Texts as the model reads them. `part` names the set.
    ///
    /// # Errors
    /// No text, or one that the tokenizer cannot encode.
    pub fn rows(&self, texts: &ContrastiveTexts, part: &'static str) -> Result<ContrastiveRows, DataError> {
        text_rows(texts, &self.tokenizer, (&self.config.model, self.config.length), part)
    }

    /// Numbers of an embedding.
    pub fn width(&self) -> usize {
        self.config.model.embedder.width.unwrap_or(self.config.model.width)
    }
}
