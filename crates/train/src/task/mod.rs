//! What is trained: the seam between the loop and an objective.
//!
//! A task owns its models, its optimisers and its data. The loop knows steps, files and signals, and
//! nothing of tensors; a new objective is a new file here.

mod adversarial;
mod classification;
mod contrastive;
mod language;
mod pairs;
mod text_vae;

use std::collections::BTreeMap;
use std::path::Path;

pub use adversarial::AdversarialTask;
pub(crate) use classification::Examples;
pub use classification::{CONFUSION, ClassificationTask, Confusion, HeldOut, evaluate_classifier};
pub(crate) use contrastive::{BatchRows, ContrastiveData, image_shape, text_rows};
pub use contrastive::{
    Chunk, ContrastiveConfig, ContrastiveTask, EmbeddingQuality, NEIGHBOURS, evaluate_embedder,
};
pub use language::{LanguageTask, evaluate_model};
pub use pairs::{HeldOutPairs, PairTask, Writer, evaluate_pairs};
pub(crate) use pairs::{PairData, TypicalPairs};
pub use text_vae::TextVaeTask;

use mixlab_objectives::contrastive::{Geometry, Monitors};

use crate::adversarial::{AdversarialTerms, ModeTerms, SteepnessTerms};
use crate::guard::Fault;
use crate::layers::Layers;
use crate::learner::LearnerState;
use crate::metrics::TextVaeTerms;
use crate::storage::StagedFolder;
use crate::text_vae::LatentUse;
use crate::{Description, TrainError};

/// What an update did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Update {
    /// Mean loss, in nats per token for language models.
    pub loss: f64,
    /// Weight of the mean: number of targets.
    pub weight: f64,
    /// Tokens read, without padding.
    pub tokens: u64,
    /// Global norm of the gradient before clipping.
    pub grad_norm: f64,
    /// Why nothing was updated, if so.
    pub skipped: Option<Fault>,
    /// What the anchors tell, of contrastive tasks.
    pub monitors: Option<Monitors>,
    /// What the loss is made of, of text VAEs.
    pub terms: Option<TextVaeTerms>,
    /// What both players say, of adversarial runs.
    pub adversarial: Option<AdversarialTerms>,
}

/// What an evaluation found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// Mean loss, in nats per token for language models; smaller is better.
    pub loss: f64,
    /// Bits per UTF-8 byte of the text, where that has a meaning.
    pub bits_per_byte: Option<f64>,
    /// Share of examples whose class was told right, for classifiers; of anchors whose nearest candidate belongs to them, for
    /// embedding models; of sentences that come back exactly, for text VAEs.
    pub accuracy: Option<f64>,
    /// Where embeddings lie, for embedding models.
    pub geometry: Option<Geometry>,
    /// What the loss is made of, for text VAEs.
    pub terms: Option<TextVaeTerms>,
    /// How latents are used, for text VAEs.
    pub usage: Option<LatentUse>,
    /// Energy distance of made samples from real ones, for generators.
    pub energy_distance: Option<f64>,
    /// How made points lie at the modes of a mixture, for generators of points.
    pub modes: Option<ModeTerms>,
    /// How steep the critic is, for generators.
    pub steepness: Option<SteepnessTerms>,
    /// Targets scored.
    pub tokens: u64,
}

/// Something that can be trained step by step.
pub trait Task {
    /// Makes update `step` (from 0). The same step on the same state always does the same.
    ///
    /// # Errors
    /// [`TrainError::Diverged`] when too many updates in a row had to be skipped.
    fn update(&mut self, step: u64, learning_rate: f64) -> Result<Update, TrainError>;

    /// Makes the same update, and tells what it means to each block, for tasks with one stack of blocks.
    ///
    /// # Errors
    /// Those of [`Task::update`].
    fn update_by_layer(
        &mut self,
        step: u64,
        learning_rate: f64,
    ) -> Result<(Update, Option<Layers>), TrainError> {
        Ok((self.update(step, learning_rate)?, None))
    }

    /// Measures the model on held-out data, or says that there is none.
    ///
    /// # Errors
    /// What the data or the model say.
    fn evaluate(&mut self) -> Result<Option<Evaluation>, TrainError>;

    /// What a person should know after an evaluation at `progress`, 0 to 1, through the run, in words; each thing once.
    fn alarms(&mut self, evaluation: &Evaluation, progress: f64) -> Vec<String> {
        let _ = (evaluation, progress);
        Vec::new()
    }

    /// Something to look at, for tasks that generate; the same after the same updates.
    ///
    /// # Errors
    /// What the model says.
    fn sample(&self, step: u64) -> Result<Option<String>, TrainError>;

    /// Draws what the model as it is to be used does on held-out data into the run's folder, for tasks that have a
    /// picture of it.
    ///
    /// # Errors
    /// [`TrainError::Write`], and what the data or the model say.
    fn draw(&mut self, run: &Path) -> Result<(), TrainError> {
        let _ = run;
        Ok(())
    }

    /// Adds model and optimiser to a checkpoint and returns the learners' counters.
    ///
    /// # Errors
    /// [`TrainError::Write`].
    fn save(&self, folder: &mut StagedFolder) -> Result<BTreeMap<String, LearnerState>, TrainError>;

    /// Goes on from a checkpoint.
    ///
    /// # Errors
    /// A file that is damaged or belongs to another model.
    fn load(&mut self, folder: &Path, learners: &BTreeMap<String, LearnerState>) -> Result<(), TrainError>;

    /// Adds the model as it is to be used to a folder.
    ///
    /// # Errors
    /// [`TrainError::Write`].
    fn save_outcome(&self, folder: &mut StagedFolder) -> Result<(), TrainError>;

    /// Sizes: parameters, memory, one batch.
    fn describe(&self) -> Description;

    /// Fingerprint of the training data.
    fn data_fingerprint(&self) -> String;
}
