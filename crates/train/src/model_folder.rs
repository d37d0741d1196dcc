//! A trained model on disk: `config.json`, `model.safetensors`, `tokenizer.json`.

use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::Device;
use mixlab_core::Precision;
use mixlab_data::Tokenizer;
use mixlab_nn::{LanguageModel, ModelConfig, with_parameters};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::checkpoint;
use crate::generate::Generator;
use crate::parameters::{parameter_tensors, read_parameters};
use crate::storage::{self, Checksum, StagedFolder};
use crate::tensor_file::{TensorFile, encode};
use crate::{ObjectiveConfig, TrainError};

/// Description of the model.
pub const CONFIG: &str = "config.json";
/// Parameters by path.
pub const WEIGHTS: &str = "model.safetensors";
/// The tokenizer, in the format of the Hugging Face library.
pub const TOKENIZER: &str = "tokenizer.json";

/// What `config.json` of a language model says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelDescription {
    /// Version of this layout.
    pub format: u32,
    /// The architecture.
    pub model: ModelConfig,
    /// What the model was trained to do.
    pub objective: ObjectiveConfig,
    /// Rows of the embedding.
    pub vocabulary: usize,
    /// Longest sequence it was trained on.
    pub length: usize,
    /// Type of the parameters.
    pub precision: Precision,
    /// Fingerprint of the tokenizer it was trained with.
    pub tokenizer: String,
    /// Size and hash of `model.safetensors`. Files written by other programs may leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<Checksum>,
}

/// Version of the layout that is written.
pub const FORMAT: u32 = 1;

/// A description of a model, of whatever kind, that ends in the checksum of its weights.
pub(crate) trait Described: Serialize + DeserializeOwned + Clone {
    /// What a model of this kind is.
    const KIND: &'static str;

    /// Whether a model trained for `objective` is one.
    fn fits(objective: &ObjectiveConfig) -> bool;

    /// Size and hash of the weights.
    fn weights(&mut self) -> &mut Option<Checksum>;
}

impl Described for ModelDescription {
    const KIND: &'static str = "a language model";

    fn fits(objective: &ObjectiveConfig) -> bool {
        !objective.is_classification()
    }

    fn weights(&mut self) -> &mut Option<Checksum> {
        &mut self.weights
    }
}

/// What every description has, whatever the model.
#[derive(Deserialize)]
pub(crate) struct Origin {
    format: u32,
    objective: ObjectiveConfig,
    /// Fingerprint of the tokenizer, if the model reads text.
    pub tokenizer: Option<String>,
    /// Size and hash of the weights.
    pub weights: Option<Checksum>,
}

/// A model, its tokenizer and its description, ready for use.
pub struct ModelFolder {
    /// The description.
    pub config: ModelDescription,
    /// The model, without gradient tracking.
    pub model: LanguageModel,
    /// The tokenizer.
    pub tokenizer: Tokenizer,
}

impl ModelFolder {
    /// The model folder that `path` stands for: itself, or of a run the final model, or else the newest
    /// sound checkpoint.
    ///
    /// # Errors
    /// [`TrainError::NotARun`] if there is none of them.
    pub fn locate(path: &Path) -> Result<PathBuf, TrainError> {
        if path.join(CONFIG).is_file() {
            return Ok(path.to_owned());
        }
        let model = path.join("model");
        if model.join(CONFIG).is_file() {
            return Ok(model);
        }
        match checkpoint::find(path)?.good {
            Some(found) => Ok(found.path),
            None if path.exists() => Err(TrainError::NotARun { path: path.to_owned(), missing: CONFIG }),
            None => Err(TrainError::read(path)(std::io::ErrorKind::NotFound.into())),
        }
    }

    /// Reads a model folder onto `device`.
    ///
    /// # Errors
    /// A file that is missing, truncated, changed or does not fit the others, with the tensor's name
    /// where there is one.
    pub fn load(path: &Path, device: &Device) -> Result<Self, TrainError> {
        let config = read_description(path)?;
        let tokenizer = Tokenizer::load(&path.join(TOKENIZER))?;
        let mismatch = |reason: String| TrainError::TokenizerMismatch { path: path.to_owned(), reason };
        if tokenizer.vocabulary() != config.vocabulary {
            return Err(mismatch(format!(
                "the tokenizer has {} tokens, the model {}",
                tokenizer.vocabulary(),
                config.vocabulary
            )));
        }
        if tokenizer.fingerprint() != config.tokenizer {
            return Err(mismatch(format!(
                "the tokenizer's fingerprint is {}, the model was trained with {}",
                tokenizer.fingerprint(),
                config.tokenizer
            )));
        }
        config.model.check_length(config.length, config.objective.is_causal())?;
        let model = config.model.build(config.vocabulary, 0, device, config.precision)?;
        let file = read_weights(path, config.weights.as_ref())?;
        let values = read_parameters(&model, file, device, config.precision)?;
        Ok(ModelFolder { model: with_parameters(model, values), config, tokenizer })
    }

    /// The model as one that speaks; `device` is the one it was loaded onto.
    ///
    /// # Errors
    /// [`TrainError::Conflict`] if it was trained to fill in hidden tokens.
    pub fn generator<'a>(&'a self, device: &'a Device) -> Result<Generator<'a>, TrainError> {
        if !self.config.objective.is_causal() {
            return Err(TrainError::Conflict {
                first: "objective.kind = \"masked_lm\"".into(),
                second: "generating text".into(),
                reason: "the model sees both sides of a token and cannot continue a text".into(),
                remedy: "train with `objective.kind = \"causal_lm\"`".into(),
            });
        }
        let (model, config, tokenizer) = (&self.model, &self.config.model, &self.tokenizer);
        Ok(Generator { model, config, tokenizer, device })
    }

    /// Writes the folder whole or not at all, replacing one that is there.
    ///
    /// # Errors
    /// [`TrainError::Write`]; what was there before is untouched.
    pub fn save(&self, path: &Path) -> Result<(), TrainError> {
        let mut folder = StagedFolder::new(path)?;
        write_model(&mut folder, &self.config, &self.model, Some(&self.tokenizer))?;
        folder.commit().map(|_| ())
    }
}

/// Adds the files of a model to a folder under construction.
pub(crate) fn write_model<M: Module, D: Described>(
    folder: &mut StagedFolder,
    config: &D,
    model: &M,
    tokenizer: Option<&Tokenizer>,
) -> Result<(), TrainError> {
    let weights = encode(parameter_tensors(model, None), &folder.path().join(WEIGHTS))?;
    let mut config = config.clone();
    *config.weights() = Some(Checksum::of(&weights));
    let config_path = folder.path().join(CONFIG);
    let text = serde_json::to_string_pretty(&config).map_err(TrainError::damaged(&config_path))?;
    folder.write(WEIGHTS, &weights)?;
    folder.write(CONFIG, (text + "\n").as_bytes())?;
    match tokenizer {
        Some(tokenizer) => folder.write(TOKENIZER, tokenizer.json().as_bytes()),
        None => Ok(()),
    }
}

/// Reads `config.json` of a language model's folder.
///
/// # Errors
/// [`TrainError::Read`], [`TrainError::Damaged`], or [`TrainError::OtherModel`] for a classifier.
pub fn read_description(path: &Path) -> Result<ModelDescription, TrainError> {
    read_description_of(path)
}

/// What a model in a folder was trained for.
///
/// # Errors
/// [`TrainError::Read`] or [`TrainError::Damaged`].
pub fn read_objective(path: &Path) -> Result<ObjectiveConfig, TrainError> {
    read_origin(path).map(|origin| origin.objective)
}

/// What `config.json` of a model of any kind says.
pub(crate) fn read_origin(path: &Path) -> Result<Origin, TrainError> {
    read_common(&path.join(CONFIG)).map(|(origin, _)| origin)
}

/// Reads `config.json` as the description of one kind of model.
pub(crate) fn read_description_of<D: Described>(path: &Path) -> Result<D, TrainError> {
    let path = path.join(CONFIG);
    let (common, bytes) = read_common(&path)?;
    if !D::fits(&common.objective) {
        let found = if common.objective.is_classification() { "a classifier" } else { "a language model" };
        return Err(TrainError::OtherModel { path, found, expected: D::KIND });
    }
    serde_json::from_slice(&bytes).map_err(TrainError::damaged(&path))
}

fn read_common(path: &Path) -> Result<(Origin, Vec<u8>), TrainError> {
    let bytes = storage::read(path)?;
    let common: Origin = serde_json::from_slice(&bytes).map_err(TrainError::damaged(path))?;
    if common.format != FORMAT {
        let reason = format!("its format is {}, this version reads {FORMAT}", common.format);
        return Err(TrainError::Damaged { path: path.to_owned(), reason });
    }
    Ok((common, bytes))
}

/// Reads the parameters of a model folder and checks them against the description.
pub(crate) fn read_weights(path: &Path, expected: Option<&Checksum>) -> Result<TensorFile, TrainError> {
    let path = path.join(WEIGHTS);
    let bytes = storage::read(&path)?;
    // The layout first: it can name what is wrong, a checksum cannot.
    let file = TensorFile::decode(&path, &bytes)?;
    match expected {
        Some(expected) if *expected != Checksum::of(&bytes) => {
            let reason = "its checksum is not the one in config.json".into();
            Err(TrainError::Damaged { path, reason })
        }
        _ => Ok(file),
    }
}
