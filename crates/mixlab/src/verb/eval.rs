//! `mixlab eval`: measure a trained model.

mod embeddings;
mod examples;
mod generator;
mod pairs;
mod text_vae;

use std::path::PathBuf;

use clap::Args;
use mixlab_data::{
    Corpus, DataConfig, DocumentSeparator, Documents, EvaluationData, EvaluationOptions, load,
};
use mixlab_nn::LanguageModel;
use mixlab_nn::seq2seq::SequenceToSequence;
use mixlab_train::{
    Config, ModelFolder, ModelKind, RUN_CONFIG, evaluate_model, read_kind, read_objective, read_run_config,
};
use serde::Serialize;

use crate::arguments::DeviceOption;
use crate::failure::{Exit, Failure, ProgramError};
use crate::output::{columns, print, print_json};

/// Measure a trained model on text, on pairs or on examples with labels
///
/// Of a language model every token of the text is scored once; of a model that
/// writes targets every token of a target; of a classifier every example. Of an
/// embedding model it is measured what its embeddings find; of a text VAE what
/// it gives back, what its latents tell, and what it makes up; of a generator
/// how close its samples come to real ones.
/// Without files, a run is measured on its own held-out data.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  mixlab eval runs/austen persuasion.txt northanger-abbey.txt
  mixlab eval runs/fashion --confusion confusion.svg
  mixlab eval runs/sentences sts.tsv --score-field score")]
pub struct Eval {
    /// A run folder or a model folder
    model: PathBuf,

    /// Files, or folders of images; the held-out data of the run if absent
    files: Vec<PathBuf>,

    /// Rows that are computed at once; as in the run if absent
    #[arg(long, value_name = "N")]
    batch: Option<usize>,

    /// How far the window moves; as in the run if absent
    #[arg(long, value_name = "N")]
    stride: Option<usize>,

    /// Field or column of the text in JSON lines, CSV and Parquet files
    #[arg(long, value_name = "NAME", default_value = "text")]
    text_field: String,

    /// Field or column of the source, for models that write targets; as in the
    /// run if absent
    #[arg(long, value_name = "NAME")]
    source_field: Option<String>,

    /// Field or column of the target; as in the run if absent
    #[arg(long, value_name = "NAME")]
    target_field: Option<String>,

    /// Field or column of the label, for classifiers of text
    #[arg(long, value_name = "NAME", default_value = "label")]
    label_field: String,

    /// Field or column of a number that tells how alike source and target are,
    /// for embedding models: their cosines are compared with it
    #[arg(long, value_name = "NAME")]
    score_field: Option<String>,

    /// Draws of the importance-weighted bound, for text VAEs; 0 leaves it out
    #[arg(long, value_name = "N")]
    draws: Option<usize>,

    /// Texts to make up and look at, for text VAEs, 0 for none; samples to
    /// compare, for generators
    #[arg(long, value_name = "N")]
    samples: Option<usize>,

    /// A classifier of the same images, in whose features a generator's samples
    /// are compared
    #[arg(long, value_name = "RUN")]
    features: Option<PathBuf>,

    /// Draw which classes were taken for which, for classifiers
    #[arg(long, value_name = "FILE.svg")]
    confusion: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    device: DeviceOption,
}

#[derive(Serialize)]
struct Measured {
    /// Mean negative log-likelihood in nats per token.
    loss: f64,
    /// Absent for masked models.
    bits_per_byte: Option<f64>,
    tokens: u64,
    bytes: u64,
}

impl Eval {
    pub fn run(self) -> Result<Exit, Failure> {
        let path = ModelFolder::locate(&self.model)?;
        let run = self.model.join(RUN_CONFIG).is_file().then(|| read_run_config(&self.model)).transpose()?;
        let kind = read_kind(&path)?;
        if kind != ModelKind::EmbeddingModel
            && let Some(field) = &self.score_field
        {
            return Err(ProgramError::Argument {
                argument: "--score-field",
                found: format!("{field:?} for {kind}"),
                expected: "an embedding model, whose cosines are compared with scores".to_owned(),
            }
            .into());
        }
        if kind != ModelKind::Generator
            && let Some(features) = &self.features
        {
            return Err(ProgramError::Argument {
                argument: "--features",
                found: format!("\"{}\" for {kind}", features.display()),
                expected: "a generator, whose samples are compared with real ones".to_owned(),
            }
            .into());
        }
        if kind == ModelKind::Classifier {
            return self.run_classifier(&path, run.as_ref());
        }
        if let Some(confusion) = &self.confusion {
            return Err(ProgramError::Argument {
                argument: "--confusion",
                found: format!("\"{}\" for {kind}", confusion.display()),
                expected: "a classifier, which takes classes for each other".to_owned(),
            }
            .into());
        }
        if kind == ModelKind::Generator {
            return self.run_generator(&path, run.as_ref());
        }
        if kind == ModelKind::EmbeddingModel {
            return self.run_embeddings(&path, run.as_ref());
        }
        if kind == ModelKind::TextVae {
            return self.run_text_vae(&path, run.as_ref());
        }
        if kind == ModelKind::SequenceToSequence {
            return self.run_pairs::<SequenceToSequence>(&path, run.as_ref());
        }
        if read_objective(&path)?.writes() {
            return self.run_pairs::<LanguageModel>(&path, run.as_ref());
        }
        let device = self.device.open();
        let folder: ModelFolder = ModelFolder::load(&path, &device)?;
        let text = self.text(run.as_ref(), DocumentSeparator::File)?;
        let bytes = text.bytes();
        let corpus = Corpus::encode(&folder.tokenizer, &text)?;
        let options = self.options(run.as_ref(), folder.config.length);
        let data = EvaluationData::new(corpus, &folder.tokenizer, options)?;
        let seed = run.map_or(0, |config| config.run.seed);
        let evaluation = evaluate_model(&folder, &data, seed, &device)?;
        let measured = Measured {
            loss: evaluation.loss,
            bits_per_byte: evaluation.bits_per_byte,
            tokens: evaluation.tokens,
            bytes,
        };
        if self.json {
            print_json(&measured)?;
        } else {
            print(&describe(&measured))?;
        }
        Ok(Exit::Done)
    }

    /// The files, plain text among them divided so, or what the run held out.
    fn text(&self, run: Option<&Config>, separator: DocumentSeparator) -> Result<Documents, Failure> {
        if let (true, Some(config)) = (self.files.is_empty(), run) {
            return Ok(load(&config.data)?.evaluate);
        }
        if self.files.is_empty() {
            return Err(ProgramError::NothingToMeasure { path: self.model.clone() }.into());
        }
        // Everything in the files is measured on: nothing is held out of it.
        let all = DataConfig {
            train: self.files.clone(),
            evaluate_fraction: 0.0,
            text_field: self.text_field.clone(),
            document_separator: separator,
            ..DataConfig::default()
        };
        Ok(load(&all)?.train)
    }

    /// The fields of source and target that are named in the place of those of `config`.
    fn pair_fields(&self, config: DataConfig) -> DataConfig {
        DataConfig {
            source_field: self.source_field.clone().unwrap_or(config.source_field),
            target_field: self.target_field.clone().unwrap_or(config.target_field),
            ..config
        }
    }

    fn options(&self, run: Option<&Config>, length: usize) -> EvaluationOptions {
        let defaults = EvaluationOptions::default();
        EvaluationOptions {
            batch: self.batch.or(run.map(|config| config.evaluate.batch)).unwrap_or(defaults.batch),
            length,
            stride: self.stride.or(run.map(Config::stride)).unwrap_or(length.div_ceil(2)),
            packing: run.map_or(defaults.packing, |config| config.data.packing),
            segment_masks: run.map_or(defaults.segment_masks, |config| config.data.segment_masks),
        }
    }
}

fn describe(measured: &Measured) -> String {
    let mut rows = vec![vec!["loss".to_owned(), format!("{:.4} nats/token", measured.loss)]];
    rows.extend(
        measured.bits_per_byte.map(|bits| vec!["compression".into(), format!("{bits:.4} bits/byte")]),
    );
    rows.push(vec!["text".into(), format!("{} tokens, {} bytes", measured.tokens, measured.bytes)]);
    columns(&rows)
}
