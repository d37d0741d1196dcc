//! Training: configuration, optimisers, schedules, the loop, checkpoints, metrics and generation.
//!
//! The way through the crate: a [`Config`] is resolved and checked; [`run()`] makes a folder, prepares a
//! [`Task`] and drives it step by step; [`resume()`] goes on from the newest sound checkpoint so that the
//! result is the same byte for byte; [`ModelFolder`] reads what came out, and [`Generator`] lets it speak.

#![forbid(unsafe_code)]

mod adversarial;
pub mod checkpoint;
mod classifier_folder;
mod config;
mod describe;
mod ema;
mod embed;
mod embedder_folder;
mod error;
mod exact;
mod exchange;
mod generate;
mod guard;
mod interrupt;
mod layers;
mod learner;
pub mod metrics;
mod model_folder;
mod nearest;
mod observer;
pub mod optimizer;
mod pair_shape;
mod parameters;
mod prepare;
mod run;
mod run_folder;
mod schedule;
pub mod storage;
mod task;
mod tensor_file;
#[cfg(test)]
mod tests;
mod text_vae;
mod threads;
mod token_ids;
mod training;

pub use adversarial::{
    AdversarialConfig, AdversarialData, AdversarialDescription, AdversarialFolder, AdversarialTerms,
    FeatureSpace, GeneratorGradient, ModeTerms, RealSamples, SECANT_RADIUS, SampleQuality, SteepnessTerms,
    TurnTimes, drawn_labels, measure_samples, sample_grid, sample_scatter, spherical,
};
pub use classifier_folder::{ClassifierDescription, ClassifierFolder};
pub use config::{
    CheckpointConfig, Config, EvaluateConfig, ModelChoice, ObjectiveConfig, RunConfig, SampleConfig,
    TrainConfig,
};
pub use describe::{DataDescription, Description, Memory, ParameterSize, describe};
pub use ema::{Ema, EmaConfig};
pub use embed::TextEmbedder;
pub use embedder_folder::{EmbedderDescription, EmbedderFolder, EmbedderInput};
pub use error::TrainError;
pub use exchange::{IMPORT_CONFIG, Imported, export_embedder, import_embedder};
pub use generate::{Answer, Ended, GenerateOptions, Generated, Generator, SamplingConfig, Stepper};
pub use guard::{Fault, Guard, GuardConfig, GuardState};
pub use interrupt::Interrupt;
pub use layers::Layers;
pub use learner::{Applied, Learner, LearnerState};
pub use metrics::{MetricsLine, Split, TextVaeTerms};
pub use model_folder::{Folded, ModelDescription, ModelFolder, ModelKind, read_kind, read_objective};
pub use nearest::{Hit, nearest};
pub use observer::{Observer, Progress, Silent, Start};
pub use optimizer::{AdamwConfig, LambConfig, Optimizer, OptimizerConfig, SgdConfig};
pub use pair_shape::PairShape;
pub use parameters::InitReport;
pub use prepare::{
    Prepared, adversarial_task, classification_task, contrastive_task, language_task, pair_task, task,
    text_vae_task,
};
pub use run::{Outcome, Summary, resume, run, run_task};
pub use run_folder::{CURVES, MODEL, RUN_CONFIG, read_run_config};
pub use schedule::ScheduleConfig;
pub use task::{
    AdversarialTask, CONFUSION, Chunk, ClassificationTask, Confusion, ContrastiveConfig, ContrastiveTask,
    EmbeddingQuality, Evaluation, HeldOut, HeldOutPairs, LanguageTask, NEIGHBOURS, PairTask, Task,
    TextVaeTask, Update, Writer, evaluate_classifier, evaluate_embedder, evaluate_model, evaluate_pairs,
};
pub use tensor_file::{NamedTensor, TensorFile, encode};
pub use text_vae::{
    Bound, Draw, EncodedTexts, LatentUse, Latents, LayerUse, Piece, QualityOptions, ReceivePiece,
    Reconstruction, Samples, SentenceWriter, TEXTS_TOGETHER, TextVaeConfig, TextVaeFolder, TextVaeQuality,
    Writing, WrittenText, describe_notes, unheard,
};
pub use threads::set_threads;
