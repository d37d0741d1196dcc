//! Measuring an embedding model.

use std::path::{Path, PathBuf};

use mixlab_data::{
    ContrastiveKind, ContrastiveRows, ContrastiveTexts, DataConfig, LabelledData, load_contrastive,
    load_labelled, read_scored_pairs,
};
use mixlab_train::{
    Config, EmbedderFolder, EmbedderInput, EmbeddingQuality, NEIGHBOURS, ObjectiveConfig, TrainError,
    evaluate_embedder,
};

use super::Eval;
use crate::failure::{Exit, Failure, ProgramError};
use crate::output::{columns, print, print_json, tell};

/// What is measured on, what classes are told by, and scores.
type Rows = (ContrastiveRows, Option<ContrastiveRows>, Option<Vec<f64>>);

/// The same as texts.
struct Texts {
    measured: ContrastiveTexts,
    references: Option<ContrastiveTexts>,
    scores: Option<Vec<f64>>,
}

impl Eval {
    pub(super) fn run_embeddings(&self, path: &Path, run: Option<&Config>) -> Result<Exit, Failure> {
        let device = self.device.open();
        let folder = EmbedderFolder::load(path, &device)?;
        let (measured, references, scores) = match folder.config.input {
            EmbedderInput::Texts { .. } => self.texts(&folder, run)?,
            EmbedderInput::Images { .. } => self.images(&folder, run)?,
        };
        let batch = self.batch.or(run.map(|config| config.evaluate.batch)).unwrap_or(64);
        let (references, scores) = (references.as_ref(), scores.as_deref());
        let place = (&device, folder.config.precision);
        let quality = evaluate_embedder(&folder.model, &measured, references, scores, batch, place)?;
        match self.json {
            true => print_json(&quality)?,
            false => print(&describe(&quality))?,
        }
        Ok(Exit::Done)
    }

    fn texts(&self, folder: &EmbedderFolder, run: Option<&Config>) -> Result<Rows, Failure> {
        let texts = match &self.score_field {
            Some(field) => self.scored(field, run)?,
            None => self.together(folder, run)?,
        };
        let rows = |texts: &ContrastiveTexts| -> Result<ContrastiveRows, Failure> {
            let rows = folder.rows(texts, "held-out")?;
            if rows.cut() > 0 {
                let (_, length) = folder.texts()?;
                tell(&format!(
                    "note: {} texts are longer than {length} tokens and lose their ends",
                    rows.cut()
                ));
            }
            Ok(rows)
        };
        let measured = rows(&texts.measured)?;
        let references = texts.references.as_ref().map(rows).transpose()?;
        Ok((measured, references, texts.scores))
    }

    /// Images with classes: the files, or what the run is measured on. With a run the images it was trained on tell the classes.
    fn images(&self, folder: &EmbedderFolder, run: Option<&Config>) -> Result<Rows, Failure> {
        let config = self.with_fields(run);
        let files = self.files.clone();
        let config = match (run, files.is_empty()) {
            (Some(_), true) => config,
            (Some(_), false) => DataConfig { evaluate: files, ..config },
            (None, _) => DataConfig { train: files, evaluate: Vec::new(), evaluate_fraction: 0.0, ..config },
        };
        let nothing = || ProgramError::NothingToMeasure { path: self.model.clone() };
        if config.train.is_empty() {
            return Err(nothing().into());
        }
        let LabelledData::Images { train, evaluate } = load_labelled(&config)? else {
            return Err(TrainError::ReadsImages { path: self.model.clone() }.into());
        };
        match (run, evaluate) {
            (None, _) => Ok((folder.image_rows(train)?, None, None)),
            (Some(_), Some(held_out)) => {
                Ok((folder.image_rows(held_out)?, Some(folder.image_rows(train)?), None))
            }
            (Some(_), None) => Err(nothing().into()),
        }
    }

    /// The pairs of the files, or of those the run is measured on, with their scores.
    fn scored(&self, field: &str, run: Option<&Config>) -> Result<Texts, Failure> {
        let config = self.with_fields(run);
        let files: &[PathBuf] = if self.files.is_empty() { &config.evaluate } else { &self.files };
        if files.is_empty() {
            return Err(ProgramError::NothingToMeasure { path: self.model.clone() }.into());
        }
        let (pairs, scores) = read_scored_pairs(files, &config, field)?;
        Ok(Texts { measured: pairs.into(), references: None, scores: Some(scores) })
    }

    /// What belongs together in the files, or in what the run held out.
    fn together(&self, folder: &EmbedderFolder, run: Option<&Config>) -> Result<Texts, Failure> {
        let kind = match &folder.config.objective {
            ObjectiveConfig::Contrastive(objective) => objective.examples,
            _ => ContrastiveKind::default(),
        };
        let nothing = || ProgramError::NothingToMeasure { path: self.model.clone() };
        let config = self.with_fields(run);
        let labelled = kind == ContrastiveKind::Labelled;
        let (measured, references) = match (self.files.is_empty(), run) {
            (true, None) => return Err(nothing().into()),
            // Classes are told by the training texts, and numbered as there.
            (files_are_absent, Some(_)) if files_are_absent || labelled => {
                let evaluate = if files_are_absent { config.evaluate.clone() } else { self.files.clone() };
                let split = load_contrastive(&DataConfig { evaluate, ..config }, kind)?;
                (split.evaluate, labelled.then_some(split.train))
            }
            _ => {
                let files = DataConfig {
                    train: self.files.clone(),
                    evaluate: Vec::new(),
                    evaluate_fraction: 0.0,
                    ..config
                };
                (load_contrastive(&files, kind)?.train, None)
            }
        };
        if measured.is_empty() {
            return Err(nothing().into());
        }
        Ok(Texts { measured, references, scores: None })
    }

    /// The data of the run, with the fields that are named.
    fn with_fields(&self, run: Option<&Config>) -> DataConfig {
        let config = self.pair_fields(run.map_or_else(DataConfig::default, |config| config.data.clone()));
        if run.is_some() {
            return config;
        }
        DataConfig { text_field: self.text_field.clone(), label_field: self.label_field.clone(), ..config }
    }
}

fn describe(quality: &EmbeddingQuality) -> String {
    let percent = |share: f64| format!("{:.2} %", 100.0 * share);
    let mut rows = vec![vec!["examples".to_owned(), quality.examples.to_string()]];
    let mut add = |name: &str, value: Option<String>| {
        rows.extend(value.map(|value| vec![name.to_owned(), value]));
    };
    for (place, k) in [1, 5, 10].into_iter().enumerate() {
        add(&format!("recall at {k}"), quality.recall.map(|recall| percent(recall[place])));
    }
    add("mean reciprocal rank", quality.mean_reciprocal_rank.map(|rank| format!("{rank:.4}")));
    add("Spearman", quality.spearman.map(|spearman| format!("{spearman:.4}")));
    add(&format!("{NEIGHBOURS} neighbours"), quality.neighbour_accuracy.map(percent));
    add("linear probe", quality.probe_accuracy.map(percent));
    add("alignment", quality.geometry.alignment.map(|alignment| format!("{alignment:.4}")));
    add("uniformity", quality.geometry.uniformity.map(|uniformity| format!("{uniformity:.4}")));
    columns(&rows)
}
