//! What can go wrong before, during and after a run.

use std::io;
use std::path::{Path, PathBuf};

use mixlab_core::config::ConfigError;
use mixlab_core::{Diagnose, ExitKind};
use mixlab_data::DataError;
use mixlab_nn::ModelError;

use crate::ModelKind;
use crate::guard::Fault;

/// A run that cannot start, cannot go on, or a folder that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A number outside the range its option allows.
    #[error("`{key}` is {found}, expected {expected}")]
    OutOfRange {
        /// Dotted config key.
        key: &'static str,
        /// What the config holds.
        found: String,
        /// The range in words.
        expected: String,
    },
    /// There is no model.
    #[error("the configuration says nothing of a model: `model.mixer.kind` has no default")]
    NoModel,
    /// Two options that exclude each other.
    #[error("`{first}` and `{second}` cannot go together: {reason}")]
    Conflict {
        /// One dotted key with its value.
        first: String,
        /// The other one.
        second: String,
        /// Why not.
        reason: String,
        /// What to change.
        remedy: String,
    },
    /// The configuration text is wrong.
    #[error(transparent)]
    Config(Box<ConfigError>),
    /// The model cannot be built.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The data or the tokenizer cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A file or folder could not be read.
    #[error("cannot read {path}")]
    Read {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file or folder could not be written.
    #[error("cannot write {path}")]
    Write {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is there, but its content is not what it must be.
    #[error("{path} is damaged: {reason}")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A model of another kind than the one that is needed.
    #[error("{path} describes {found}, expected {expected}")]
    OtherModel {
        /// The description.
        path: PathBuf,
        /// What it describes.
        found: ModelKind,
        /// What is needed.
        expected: ModelKind,
    },
    /// A model from elsewhere that is built or stored otherwise.
    #[error("{path} cannot be imported: {reason}")]
    Foreign {
        /// The file or folder.
        path: PathBuf,
        /// What is different.
        reason: String,
        /// What to do.
        remedy: String,
    },
    /// A tensor that must be in a file is not.
    #[error("{path} has no tensor `{tensor}`")]
    MissingTensor {
        /// Which file.
        path: PathBuf,
        /// Parameter path or state name.
        tensor: String,
    },
    /// A tensor is in a file that the model has no place for.
    #[error("{path} has a tensor `{tensor}` that the model does not have")]
    ExtraTensor {
        /// Which file.
        path: PathBuf,
        /// Its name.
        tensor: String,
    },
    /// A tensor of another shape than the model's.
    #[error("tensor `{tensor}` in {path} has shape {found:?}, the model expects {expected:?}")]
    TensorShape {
        /// Which file.
        path: PathBuf,
        /// Its name.
        tensor: String,
        /// Shape in the file.
        found: Vec<usize>,
        /// Shape of the model's parameter.
        expected: Vec<usize>,
    },
    /// A tensor of a type that is not read.
    #[error("tensor `{tensor}` in {path} has type {found}, expected F32, F64, F16 or BF16")]
    TensorType {
        /// Which file.
        path: PathBuf,
        /// Its name.
        tensor: String,
        /// Type in the file.
        found: String,
    },
    /// The tokenizer of a folder is not the one its model was trained with.
    #[error("tokenizer and model in {path} do not belong together: {reason}")]
    TokenizerMismatch {
        /// The folder.
        path: PathBuf,
        /// How they differ.
        reason: String,
    },
    /// The output folder is in use.
    #[error("{path} already holds {what}")]
    FolderInUse {
        /// The folder.
        path: PathBuf,
        /// A run, or other files.
        what: &'static str,
    },
    /// The folder has no run to go on with.
    #[error("{path} does not hold a run: there is no {missing}")]
    NotARun {
        /// The folder.
        path: PathBuf,
        /// The file that must be there.
        missing: &'static str,
    },
    /// The data of a run changed under it.
    #[error("the training data is not what this run started with (fingerprint {found}, was {expected})")]
    DataChanged {
        /// Fingerprint at the checkpoint.
        expected: String,
        /// Fingerprint now.
        found: String,
    },
    /// A log is shorter than when the checkpoint was written.
    #[error("{path} has {found} bytes, but {expected} when the checkpoint was written")]
    LogTooShort {
        /// Which log.
        path: PathBuf,
        /// Bytes at the checkpoint.
        expected: u64,
        /// Bytes now.
        found: u64,
    },
    /// Too many updates in a row had to be skipped.
    #[error("stopped at step {step}: {count} updates in a row were skipped, the last because {fault}")]
    Diverged {
        /// The step.
        step: u64,
        /// How many in a row.
        count: u32,
        /// Why the last one was.
        fault: Fault,
    },
    /// The evaluation loss is not a number.
    #[error("the evaluation loss at step {step} is {loss}")]
    EvaluationNotFinite {
        /// The step.
        step: u64,
        /// What came out.
        loss: f64,
    },
    /// A model of images where one of texts is needed.
    #[error("the model in {path} embeds images, not texts")]
    ReadsImages {
        /// The folder.
        path: PathBuf,
    },
    /// A model of texts where one of images is needed.
    #[error("the model in {path} embeds texts, not images")]
    ReadsTexts {
        /// The folder.
        path: PathBuf,
    },
    /// A text without a letter was to be embedded.
    #[error("text {row} is empty")]
    EmptyText {
        /// Which one, from 1.
        row: usize,
    },
    /// An embedding is not a vector of numbers.
    #[error("the embedding of text {row} holds {value}")]
    EmbeddingNotFinite {
        /// Which one, from 1.
        row: usize,
        /// What came out.
        value: f64,
    },
    /// Numbers that are no latents of the model.
    #[error("these are no latents of this model: {reason}, expected {expected}")]
    Latents {
        /// What is wrong, with the place.
        reason: String,
        /// What is needed.
        expected: String,
    },
    /// A picture could not be drawn.
    #[error("cannot draw {path}: {message}")]
    Picture {
        /// The file.
        path: PathBuf,
        /// What the drawing library says.
        message: String,
    },
    /// Signals cannot be handled on this system.
    #[error("cannot install the interrupt handler")]
    Signals(#[source] io::Error),
}

impl TrainError {
    /// An [`TrainError::OutOfRange`] from anything printable.
    pub(crate) fn out_of_range(key: &'static str, found: impl ToString, expected: impl Into<String>) -> Self {
        TrainError::OutOfRange { key, found: found.to_string(), expected: expected.into() }
    }

    /// For `map_err` on a read of `path`.
    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> TrainError {
        let path = path.to_owned();
        move |source| TrainError::Read { path, source }
    }

    /// For `map_err` on a write of `path`.
    pub(crate) fn write(path: &Path) -> impl FnOnce(io::Error) -> TrainError {
        let path = path.to_owned();
        move |source| TrainError::Write { path, source }
    }

    /// For `map_err` on parsing what was read from `path`.
    pub(crate) fn damaged<E: ToString>(path: &Path) -> impl FnOnce(E) -> TrainError {
        let path = path.to_owned();
        move |error| TrainError::Damaged { path, reason: error.to_string() }
    }
}

impl From<ConfigError> for TrainError {
    fn from(error: ConfigError) -> Self {
        TrainError::Config(Box::new(error))
    }
}

impl Diagnose for TrainError {
    fn hint(&self) -> Option<String> {
        match self {
            TrainError::Config(error) => error.hint(),
            TrainError::Model(error) => error.hint(),
            TrainError::Data(error) => error.hint(),
            TrainError::Conflict { remedy, .. } | TrainError::Foreign { remedy, .. } => Some(remedy.clone()),
            TrainError::NoModel => Some(
                "add `[model.mixer]` with a `kind`, such as \"softmax_attention\"; `mixlab blocks list` has them all".into(),
            ),
            TrainError::OutOfRange { key, .. } => Some(format!("set `{key}` inside that range")),
            TrainError::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Some("check the path; relative paths start at the working directory".into())
            }
            TrainError::Write { source, .. } => Some(write_hint(source).into()),
            TrainError::Damaged { .. } => {
                Some("the file was truncated or changed; take it from another checkpoint or a copy".into())
            }
            TrainError::OtherModel { .. } => Some(
                "language models generate and are measured on text, encoder–decoders on pairs, classifiers on examples \
                 with labels; embedding models embed texts; text VAEs are used with `mixlab vae`, generators of \
                 samples with `mixlab gan`"
                    .into(),
            ),
            TrainError::MissingTensor { .. }
            | TrainError::ExtraTensor { .. }
            | TrainError::TensorShape { .. } => Some(
                "the file belongs to another model; to start from the parts that fit, set `model.init_from`"
                    .into(),
            ),
            TrainError::TensorType { .. } => Some("convert the tensors to float32".into()),
            TrainError::TokenizerMismatch { .. } => {
                Some("put back the tokenizer.json that was saved with the model".into())
            }
            TrainError::FolderInUse { path, what: "a run" } => Some(format!(
                "`mixlab resume {}` continues a run; for a new one choose another --out",
                path.display()
            )),
            TrainError::FolderInUse { .. } => Some("choose another --out".into()),
            TrainError::NotARun { .. } => Some("give the folder that was passed to `train --out`".into()),
            TrainError::DataChanged { .. } => {
                Some("put back the files named under `data`, or start a new run".into())
            }
            TrainError::LogTooShort { .. } => {
                Some("logs of a run must not be edited; start a new run with `model.init_from`".into())
            }
            TrainError::Diverged { .. } => {
                Some("lower the learning rate, lengthen the warm-up, or lower `train.clip`".into())
            }
            TrainError::EvaluationNotFinite { .. } => Some("lower the learning rate".into()),
            TrainError::ReadsImages { .. } => Some("`mixlab eval` measures it on images; to embed texts, train on texts".into()),
            TrainError::ReadsTexts { .. } => Some("name files of texts, or train with `objective.examples = \"images\"`".into()),
            TrainError::Latents { .. } => {
                Some("write latents with `mixlab vae encode` of the same model".into())
            }
            TrainError::EmptyText { .. } => Some("leave it out: there is nothing to embed".into()),
            TrainError::EmbeddingNotFinite { .. } => {
                Some("the model's weights are not usable; take them from an earlier checkpoint".into())
            }
            TrainError::Read { .. } | TrainError::Picture { .. } | TrainError::Signals(_) => None,
        }
    }

    fn exit(&self) -> ExitKind {
        match self {
            TrainError::Config(error) => error.exit(),
            TrainError::Model(error) => error.exit(),
            TrainError::Data(error) => error.exit(),
            TrainError::Write { .. }
            | TrainError::Diverged { .. }
            | TrainError::EvaluationNotFinite { .. }
            | TrainError::Picture { .. }
            | TrainError::Signals(_) => ExitKind::Failed,
            _ => ExitKind::Usage,
        }
    }
}

fn write_hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space; checkpoints written earlier are untouched, `mixlab resume` goes on from the last"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "choose an --out that can be written; checkpoints written earlier are untouched"
        }
        _ => "checkpoints written earlier are untouched, `mixlab resume` goes on from the last",
    }
}
