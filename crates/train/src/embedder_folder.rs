//! A trained embedding model on disk: `config.json`, `model.safetensors`, and for texts `tokenizer.json`.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use mixlab_core::Precision;
use mixlab_data::{AugmentConfig, ContrastiveRows, ContrastiveTexts, ImageInput, ImageSet, Tokenizer};
use mixlab_nn::{ClassifierInput, EmbeddingModel, ModelConfig, with_parameters};
use serde::{Deserialize, Serialize};

use crate::model_folder::{Described, ModelKind, read_description_of, read_tokenizer, read_weights};
use crate::parameters::read_parameters;
use crate::storage::Checksum;
use crate::task::{image_shape, text_rows};
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
    /// What the model reads.
    #[serde(flatten)]
    pub input: EmbedderInput,
    /// Type of the parameters.
    pub precision: Precision,
    /// What cosines were divided by at the end.
    pub temperature: f64,
    /// Size and hash of `model.safetensors`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<Checksum>,
}

/// What an embedding model reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum EmbedderInput {
    /// Texts.
    Texts {
        /// Rows of the embedding.
        vocabulary: usize,
        /// Longest text it was trained on, in tokens with those around it.
        length: usize,
        /// Fingerprint of the tokenizer it was trained with.
        tokenizer: String,
    },
    /// Images.
    Images {
        /// How they become its inputs.
        images: ImageInput,
    },
}

impl EmbedderInput {
    /// The same, as a model is made for it.
    pub fn of_model(&self) -> ClassifierInput {
        match self {
            EmbedderInput::Texts { vocabulary, .. } => ClassifierInput::Tokens { vocabulary: *vocabulary },
            EmbedderInput::Images { images } => ClassifierInput::Images(image_shape(images)),
        }
    }
}

impl Described for EmbedderDescription {
    fn weights(&mut self) -> &mut Option<Checksum> {
        &mut self.weights
    }
}

/// An embedding model with its description, ready for use.
pub struct EmbedderFolder {
    /// The description.
    pub config: EmbedderDescription,
    /// The model, without gradient tracking.
    pub model: EmbeddingModel,
    path: PathBuf,
    tokenizer: Option<Tokenizer>,
}

impl EmbedderFolder {
    /// Reads a model folder onto `device`.
    ///
    /// # Errors
    /// [`TrainError::OtherModel`] if it holds another kind of model; a file that is missing, truncated, changed or does
    /// not fit the others.
    pub fn load(path: &Path, device: &Device) -> Result<Self, TrainError> {
        let config: EmbedderDescription = read_description_of(path, ModelKind::EmbeddingModel)?;
        let tokenizer = match &config.input {
            EmbedderInput::Images { .. } => None,
            EmbedderInput::Texts { length, tokenizer: expected, .. } => {
                config.model.check_length(*length, false)?;
                let tokenizer = read_tokenizer(path, expected)?;
                let mismatch = |reason| TrainError::TokenizerMismatch { path: path.to_owned(), reason };
                check_room(&tokenizer, *length).map_err(mismatch)?;
                Some(tokenizer)
            }
        };
        let learned = config.objective.contrastive().filter(|objective| objective.temperature.is_learned());
        let temperature = learned.map(|objective| objective.temperature.initial());
        let (input, precision) = (config.input.of_model(), config.precision);
        let model = config.model.build_embedder(input, temperature, 0, device, precision)?;
        let file = read_weights(path, config.weights.as_ref())?;
        let values = read_parameters(&model, file, device, precision)?;
        let model = with_parameters(model, values);
        Ok(EmbedderFolder { model, config, path: path.to_owned(), tokenizer })
    }

    /// How texts become its inputs: the tokenizer, and the longest text in tokens with those around it.
    ///
    /// # Errors
    /// [`TrainError::ReadsImages`] if it reads images.
    pub fn texts(&self) -> Result<(&Tokenizer, usize), TrainError> {
        match (&self.tokenizer, &self.config.input) {
            (Some(tokenizer), EmbedderInput::Texts { length, .. }) => Ok((tokenizer, *length)),
            _ => Err(TrainError::ReadsImages { path: self.path.clone() }),
        }
    }

    /// Texts as the model reads them. `part` names the set.
    ///
    /// # Errors
    /// No text, or one that the tokenizer cannot encode; a model that reads images.
    pub fn rows(&self, texts: &ContrastiveTexts, part: &'static str) -> Result<ContrastiveRows, TrainError> {
        let (tokenizer, length) = self.texts()?;
        Ok(text_rows(texts, tokenizer, (&self.config.model, length), part)?)
    }

    /// Images as the model reads them, for embedding them as they are.
    ///
    /// # Errors
    /// Images of another shape, or a model that reads texts.
    pub fn image_rows(&self, set: ImageSet) -> Result<ContrastiveRows, TrainError> {
        let EmbedderInput::Images { images } = &self.config.input else {
            return Err(TrainError::ReadsTexts { path: self.path.clone() });
        };
        images.check(&set, &self.path)?;
        Ok(ContrastiveRows::images(set, &images.normalisation, AugmentConfig::default(), 0)?)
    }

    /// Numbers of an embedding.
    pub fn width(&self) -> usize {
        self.config.model.embedding_width()
    }
}

/// Whether rows of `length` tokens have room for a text, or why not.
pub(crate) fn check_room(tokenizer: &Tokenizer, length: usize) -> Result<(), String> {
    let around = tokenizer.frame().tokens();
    match length > around {
        true => Ok(()),
        false => {
            Err(format!("rows of {length} tokens have no room for a text between the {around} around it"))
        }
    }
}
