//! A trained model on disk: `config.json`, `model.safetensors`, `tokenizer.json`.

use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::Device;
use mixlab_core::Precision;
use mixlab_data::Tokenizer;
use mixlab_nn::latent::TextVae;
use mixlab_nn::seq2seq::SequenceToSequence;
use mixlab_nn::{LanguageModel, ModelConfig, ModelError, with_parameters};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use crate::checkpoint;
use crate::generate::Generator;
use crate::pair_shape::PairShape;
use crate::parameters::{parameter_tensors, read_parameters};
use crate::storage::{self, Checksum, StagedFolder};
use crate::tensor_file::{TensorFile, encode};
use crate::{Config, ObjectiveConfig, TrainError};

/// Description of the model.
pub const CONFIG: &str = "config.json";
/// Parameters by path.
pub const WEIGHTS: &str = "model.safetensors";
/// The tokenizer, in the format of the Hugging Face library.
pub const TOKENIZER: &str = "tokenizer.json";

/// What a folder holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelKind {
    /// One stack of blocks over tokens.
    LanguageModel,
    /// An encoder and a decoder over tokens.
    SequenceToSequence,
    /// A classifier of images or texts.
    Classifier,
    /// A model that embeds texts.
    EmbeddingModel,
    /// Encoder and decoder of texts in one stack, with latents.
    TextVae,
    /// A generator of samples, with its critic.
    Generator,
}

impl std::fmt::Display for ModelKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            ModelKind::LanguageModel => "a language model",
            ModelKind::SequenceToSequence => "an encoder–decoder",
            ModelKind::Classifier => "a classifier",
            ModelKind::EmbeddingModel => "an embedding model",
            ModelKind::TextVae => "a text VAE",
            ModelKind::Generator => "a generator",
        })
    }
}

/// A model that lives in a folder with its tokenizer.
pub trait Folded: Module {
    /// What it is.
    const KIND: ModelKind;

    /// A model of this architecture for an objective, with new parameters.
    ///
    /// # Errors
    /// An architecture that no such model can have.
    fn build(
        model: &ModelConfig,
        objective: &ObjectiveConfig,
        vocabulary: usize,
        seed: u64,
        device: &Device,
        precision: Precision,
    ) -> Result<Self, ModelError>;
}

impl Folded for LanguageModel {
    const KIND: ModelKind = ModelKind::LanguageModel;

    fn build(
        model: &ModelConfig,
        _objective: &ObjectiveConfig,
        vocabulary: usize,
        seed: u64,
        device: &Device,
        precision: Precision,
    ) -> Result<Self, ModelError> {
        model.build(vocabulary, seed, device, precision)
    }
}

impl Folded for SequenceToSequence {
    const KIND: ModelKind = ModelKind::SequenceToSequence;

    fn build(
        model: &ModelConfig,
        _objective: &ObjectiveConfig,
        vocabulary: usize,
        seed: u64,
        device: &Device,
        precision: Precision,
    ) -> Result<Self, ModelError> {
        model.build_sequence_to_sequence(vocabulary, seed, device, precision)
    }
}

impl Folded for TextVae {
    const KIND: ModelKind = ModelKind::TextVae;

    fn build(
        model: &ModelConfig,
        objective: &ObjectiveConfig,
        vocabulary: usize,
        seed: u64,
        device: &Device,
        precision: Precision,
    ) -> Result<Self, ModelError> {
        let objective = objective.text_vae().cloned().unwrap_or_default();
        let posterior = objective.posterior.input(objective.latent.width);
        model.build_text_vae(&objective.latent, posterior, vocabulary, seed, device, precision)
    }
}

/// What `config.json` of a model over tokens says.
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
    /// Longest sequence it was trained on; of pairs, longest target.
    pub length: usize,
    /// Longest source it was trained on, where it is not as long as a target may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_length: Option<usize>,
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

impl ModelDescription {
    /// Of the model of a run.
    pub(crate) fn of(config: &Config, tokenizer: &Tokenizer) -> Self {
        ModelDescription {
            format: FORMAT,
            model: config.model.clone(),
            objective: config.objective.clone(),
            vocabulary: config.vocabulary(tokenizer),
            length: config.train.length,
            source_length: config.train.source_length,
            precision: config.run.precision,
            tokenizer: tokenizer.fingerprint(),
            weights: None,
        }
    }

    /// How long sources and targets were, of a model that writes targets.
    pub fn pair_shape(&self) -> PairShape {
        PairShape::of(&self.model, &self.objective, self.length, self.source_length)
    }

    /// Tokens beyond the tokenizer's vocabulary.
    pub fn sentinels(&self) -> usize {
        self.objective.sentinels(self.length)
    }
}

/// A description of a model, of whatever kind, that ends in the checksum of its weights.
pub(crate) trait Described: Serialize + DeserializeOwned + Clone {
    /// Size and hash of the weights.
    fn weights(&mut self) -> &mut Option<Checksum>;
}

impl Described for ModelDescription {
    fn weights(&mut self) -> &mut Option<Checksum> {
        &mut self.weights
    }
}

/// What every description has, whatever the model.
#[derive(Deserialize)]
pub(crate) struct Origin {
    format: u32,
    objective: ObjectiveConfig,
    #[serde(default)]
    model: OriginModel,
    /// Fingerprint of the tokenizer, if the model reads text.
    pub tokenizer: Option<String>,
    /// Size and hash of the weights.
    pub weights: Option<Checksum>,
}

#[derive(Default, Deserialize)]
struct OriginModel {
    encoder: Option<IgnoredAny>,
}

impl Origin {
    fn kind(&self) -> ModelKind {
        match (&self.objective, &self.model.encoder) {
            (ObjectiveConfig::Classification { .. }, _) => ModelKind::Classifier,
            (ObjectiveConfig::Contrastive(_), _) => ModelKind::EmbeddingModel,
            (ObjectiveConfig::TextVae(_), _) => ModelKind::TextVae,
            (ObjectiveConfig::Adversarial(_), _) => ModelKind::Generator,
            (_, Some(_)) => ModelKind::SequenceToSequence,
            (_, None) => ModelKind::LanguageModel,
        }
    }
}

/// A model, its tokenizer and its description, ready for use.
pub struct ModelFolder<M: Folded = LanguageModel> {
    /// The description.
    pub config: ModelDescription,
    /// The model, without gradient tracking.
    pub model: M,
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
}

impl<M: Folded> ModelFolder<M> {
    /// Reads a model folder onto `device`.
    ///
    /// # Errors
    /// [`TrainError::OtherModel`] if it holds another kind of model; a file that is missing, truncated, changed or does
    /// not fit the others, with the tensor's name where there is one.
    pub fn load(path: &Path, device: &Device) -> Result<Self, TrainError> {
        let config: ModelDescription = read_description_of(path, M::KIND)?;
        let tokenizer = Tokenizer::load(&path.join(TOKENIZER))?;
        let mismatch = |reason: String| TrainError::TokenizerMismatch { path: path.to_owned(), reason };
        let tokens = tokenizer.vocabulary() + config.sentinels();
        if tokens != config.vocabulary {
            return Err(mismatch(format!(
                "the tokenizer has {tokens} tokens, the model {}",
                config.vocabulary
            )));
        }
        check_fingerprint(path, &tokenizer, &config.tokenizer)?;
        match config.objective.writes() {
            true => config.pair_shape().check(&config.model)?,
            false => config.model.check_length(config.length, config.objective.is_causal())?,
        }
        let model =
            M::build(&config.model, &config.objective, config.vocabulary, 0, device, config.precision)?;
        let file = read_weights(path, config.weights.as_ref())?;
        let values = read_parameters(&model, file, device, config.precision)?;
        Ok(ModelFolder { model: with_parameters(model, values), config, tokenizer })
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

/// What kind of model a folder holds.
///
/// # Errors
/// [`TrainError::Read`] or [`TrainError::Damaged`].
pub fn read_kind(path: &Path) -> Result<ModelKind, TrainError> {
    read_origin(path).map(|origin| origin.kind())
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
pub(crate) fn read_description_of<D: Described>(path: &Path, expected: ModelKind) -> Result<D, TrainError> {
    let path = path.join(CONFIG);
    let (common, bytes) = read_common(&path)?;
    let found = common.kind();
    if found != expected {
        return Err(TrainError::OtherModel { path, found, expected });
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

/// Reads the tokenizer of a model folder that was trained with one of this fingerprint.
pub(crate) fn read_tokenizer(path: &Path, expected: &str) -> Result<Tokenizer, TrainError> {
    let tokenizer = Tokenizer::load(&path.join(TOKENIZER))?;
    check_fingerprint(path, &tokenizer, expected)?;
    Ok(tokenizer)
}

fn check_fingerprint(path: &Path, tokenizer: &Tokenizer, expected: &str) -> Result<(), TrainError> {
    let found = tokenizer.fingerprint();
    if found == expected {
        return Ok(());
    }
    let reason = format!("the tokenizer's fingerprint is {found}, the model was trained with {expected}");
    Err(TrainError::TokenizerMismatch { path: path.to_owned(), reason })
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
