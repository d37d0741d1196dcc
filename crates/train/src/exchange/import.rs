//! An embedding model out of a folder of the Hugging Face libraries.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{Device, Tensor};
use mixlab_core::Precision;
use mixlab_data::Tokenizer;
use mixlab_nn::{
    EmbedderConfig, EmbeddingModel, ModelConfig, NamedParameter, named_parameters, with_parameters,
};

use super::architecture::{Architecture, foreign};
use super::names::{
    self, POSITIONS, PREFIXES, PROJECTION, THEIR_POSITIONS, THEIR_TOKENS, THEIR_TYPES, TOKENS, TYPES,
};
use super::pipeline::Pipeline;
use crate::embedder_folder::check_room;
use crate::model_folder::{CONFIG, FORMAT, TOKENIZER, WEIGHTS, write_model};
use crate::storage::StagedFolder;
use crate::task::ContrastiveConfig;
use crate::tensor_file::TensorFile;
use crate::{EmbedderDescription, EmbedderInput, ObjectiveConfig, TrainError};

/// In the folder of an imported model, what a config for training it further begins with.
pub const IMPORT_CONFIG: &str = "finetune.toml";

/// What an import came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// Number of parameters.
    pub parameters: usize,
    /// Numbers of an embedding.
    pub width: usize,
    /// Longest text in tokens, with those around it.
    pub length: usize,
    /// What the reader should know.
    pub notes: Vec<String>,
}

/// Turns the BERT-like encoder in `from`, with what sentence-transformers puts behind it, into the model folder `out`.
///
/// The folder gets a [`IMPORT_CONFIG`] beside the model: the part of a config that training it further needs.
///
/// # Errors
/// [`TrainError::FolderInUse`] if there is something at `out`; a file that is missing or damaged; [`TrainError::Foreign`] of a model
/// that is built otherwise; a tensor that is missing or has another shape, by its name. Nothing is written then.
pub fn import_embedder(from: &Path, out: &Path) -> Result<Imported, TrainError> {
    if out.exists() {
        return Err(TrainError::FolderInUse { path: out.to_owned(), what: "something" });
    }
    if !from.is_dir() {
        return Err(TrainError::read(from)(std::io::ErrorKind::NotFound.into()));
    }
    let architecture = Architecture::read(&from.join(CONFIG))?;
    let pipeline = Pipeline::read(from)?;
    let tokenizer = read_tokenizer(from, &pipeline, architecture.vocabulary)?;
    let longest = architecture.model.max_length;
    let length = pipeline.length.unwrap_or(longest).min(longest);
    check_room(&tokenizer, length).map_err(|reason| TrainError::Foreign {
        path: from.to_owned(),
        reason,
        remedy: "raise `max_seq_length` in sentence_bert_config.json".into(),
    })?;
    let description = describe(&architecture, &pipeline, &tokenizer, length)?;
    let device = Device::flex();
    let input = description.input.of_model();
    let model = description.model.build_embedder(input, None, 0, &device, Precision::F32)?;
    let values = Weights::open(from)?.values(&architecture, &pipeline, &model, &device)?;
    let model = with_parameters(model, values);

    let mut folder = StagedFolder::new(out)?;
    write_model(&mut folder, &description, &model, Some(&tokenizer))?;
    folder.write(IMPORT_CONFIG, finetuning(&description.model, length, out)?.as_bytes())?;
    folder.commit()?;
    Ok(Imported {
        parameters: named_parameters(&model).iter().map(NamedParameter::size).sum(),
        width: description.model.embedding_width(),
        length,
        notes: pipeline.notes,
    })
}

fn read_tokenizer(from: &Path, pipeline: &Pipeline, vocabulary: usize) -> Result<Tokenizer, TrainError> {
    let path = from.join(TOKENIZER);
    if !path.is_file() {
        return Err(TrainError::Foreign {
            path: from.to_owned(),
            reason: format!("there is no {TOKENIZER}"),
            remedy: "save the tokenizer with transformers: AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)".into(),
        });
    }
    let tokenizer = Tokenizer::load(&path)?;
    if tokenizer.vocabulary() > vocabulary {
        let reason = format!("the tokenizer has {} tokens, the model {vocabulary}", tokenizer.vocabulary());
        return Err(TrainError::TokenizerMismatch { path: from.to_owned(), reason });
    }
    if pipeline.lower && tokenizer.encode("Aa")? != tokenizer.encode("aa")? {
        return Err(foreign(from, "its texts are lowered before a tokenizer that does not do so".into()));
    }
    Ok(tokenizer)
}

fn describe(
    architecture: &Architecture,
    pipeline: &Pipeline,
    tokenizer: &Tokenizer,
    length: usize,
) -> Result<EmbedderDescription, TrainError> {
    let width = pipeline.dense.as_ref().map(|(_, width)| *width);
    let embedder = EmbedderConfig { pooling: pipeline.pooling, width, normalised: pipeline.normalised };
    let model = ModelConfig { embedder, ..architecture.model.clone() };
    model.validate()?;
    let objective = ContrastiveConfig::default();
    Ok(EmbedderDescription {
        format: FORMAT,
        model,
        input: EmbedderInput::Texts {
            // Rows that the tokenizer cannot ask for are left behind.
            vocabulary: tokenizer.vocabulary(),
            length,
            tokenizer: tokenizer.fingerprint(),
        },
        precision: Precision::F32,
        temperature: objective.temperature.initial(),
        objective: ObjectiveConfig::Contrastive(objective),
        weights: None,
    })
}

/// The tensors of a folder, with the name that stands in front of all of the encoder's.
struct Weights {
    file: TensorFile,
    prefix: &'static str,
}

impl Weights {
    fn open(from: &Path) -> Result<Self, TrainError> {
        let path = from.join(WEIGHTS);
        if !path.is_file() {
            return Err(TrainError::Foreign {
                path: from.to_owned(),
                reason: format!("there is no {WEIGHTS} in one piece"),
                remedy: "save the model with transformers: \
                         AutoModel.from_pretrained(DIR).save_pretrained(DIR, max_shard_size=\"100GB\")"
                    .into(),
            });
        }
        let file = TensorFile::read(&path)?;
        let holds = |prefix: &&str| file.shapes().any(|(name, _)| name == format!("{prefix}{THEIR_TOKENS}"));
        let prefix = PREFIXES.into_iter().find(holds).ok_or_else(|| TrainError::MissingTensor {
            path: path.clone(),
            tensor: THEIR_TOKENS.to_owned(),
        })?;
        Ok(Weights { file, prefix })
    }

    /// Every parameter of the model. Tensors that it has no place for, such as heads, are left.
    fn values(
        mut self,
        architecture: &Architecture,
        pipeline: &Pipeline,
        model: &EmbeddingModel,
        device: &Device,
    ) -> Result<BTreeMap<String, Tensor<1>>, TrainError> {
        let shapes: BTreeMap<String, Vec<usize>> =
            named_parameters(model).into_iter().map(|parameter| (parameter.path, parameter.shape)).collect();
        let mut values = BTreeMap::new();
        for link in names::links(architecture.family, architecture.model.depth) {
            let shape = &shapes[&link.ours];
            let value = match (link.turned, shape.as_slice()) {
                (true, &[inputs, outputs]) => {
                    turned(self.take(&link.theirs, &[outputs, inputs], device)?, [outputs, inputs])
                }
                _ => self.take(&link.theirs, shape, device)?,
            };
            values.insert(link.ours, value);
        }
        let width = architecture.model.width;
        let tokens = self.take(THEIR_TOKENS, &[architecture.vocabulary, width], device)?;
        values.insert(TOKENS.to_owned(), tokens.narrow(0, 0, shapes[TOKENS].iter().product()));
        if let Some(shape) = shapes.get(TYPES) {
            values.insert(TYPES.to_owned(), self.take(THEIR_TYPES, shape, device)?);
        }
        let (skipped, positions) = (architecture.skipped_positions, architecture.model.max_length);
        let all = self.take(THEIR_POSITIONS, &[skipped + positions, width], device)?;
        values.insert(POSITIONS.to_owned(), all.narrow(0, skipped * width, positions * width));
        if let Some((folder, outputs)) = &pipeline.dense {
            let mut dense = TensorFile::read(&folder.join(WEIGHTS))?;
            let weight = dense.take("linear.weight", &[*outputs, width], device, Precision::F32)?;
            values.insert(PROJECTION.to_owned(), turned(weight, [*outputs, width]));
        }
        Ok(values)
    }

    fn take(&mut self, name: &str, shape: &[usize], device: &Device) -> Result<Tensor<1>, TrainError> {
        self.file.take(&format!("{}{name}", self.prefix), shape, device, Precision::F32)
    }
}

/// The transpose of a matrix, both in row-major order.
pub(super) fn turned(values: Tensor<1>, [rows, columns]: [usize; 2]) -> Tensor<1> {
    values.reshape([rows, columns]).transpose().reshape([rows * columns])
}

/// The beginning of a config that trains the model in `out` further.
fn finetuning(model: &ModelConfig, length: usize, out: &Path) -> Result<String, TrainError> {
    let damaged = |error: toml::ser::Error| TrainError::damaged(&out.join(IMPORT_CONFIG))(error);
    let model = ModelConfig { init_from: Some(out.display().to_string()), ..model.clone() };
    let mut model = toml::Table::try_from(model).map_err(damaged)?;
    // What embedding models of texts do not read.
    for part in ["patch", "head", "readout"] {
        model.remove(part);
    }
    let model = toml::Table::from_iter([("model".to_owned(), model.into())]);
    let model = toml::to_string(&model).map_err(damaged)?;
    let tokenizer = toml::Value::String(out.join(TOKENIZER).display().to_string());
    let out = out.display();
    Ok(format!(
        "# An imported model, to be trained further. Name the data in a file of your own, which wins key by key:\n#\n\
         #   mixlab train {out}/{IMPORT_CONFIG} mine.toml\n\n\
         [tokenizer]\nkind = \"file\"\npath = {tokenizer}\n\n\
         [objective]\nkind = \"contrastive\"\n\n\
         [train]\nlength = {length}\n\n{model}"
    ))
}
