//! From a configuration to a task: data, tokenizer and model.

use std::path::Path;

use burn::module::Module;
use mixlab_data::{BatchOptions, Corpus, EvaluationData, EvaluationOptions, Tokenizer, TrainingData, load};

use crate::model_folder::{self, ModelFolder, TOKENIZER};
use crate::observer::Observer;
use crate::parameters::init_from;
use crate::{Config, LanguageTask, TrainError, storage};

/// The data of a run, tokenized.
pub struct Prepared {
    /// Text to numbers and back.
    pub tokenizer: Tokenizer,
    /// What updates are made from.
    pub train: TrainingData,
    /// What the model is measured on, if anything is held out.
    pub evaluation: Option<EvaluationData>,
}

impl Prepared {
    /// Reads and tokenizes the data. With a run folder, the tokenizer is kept there: a resumed run does
    /// not learn it again.
    ///
    /// # Errors
    /// [`TrainError::Data`], or [`TrainError::Write`] for the tokenizer.
    pub fn new(config: &Config, run: Option<&Path>, observer: &mut dyn Observer) -> Result<Self, TrainError> {
        observer.phase("reading the data");
        let text = load(&config.data)?;
        let kept = run.map(|run| run.join(TOKENIZER));
        let tokenizer = match &kept {
            Some(path) if path.is_file() => Tokenizer::load(path)?,
            _ => {
                observer.phase("preparing the tokenizer");
                Tokenizer::train(&config.tokenizer, &text.train)?
            }
        };
        if let Some(path) = kept.filter(|path| !path.is_file()) {
            storage::write_atomic(&path, tokenizer.json().as_bytes())?;
        }
        observer.phase("tokenizing");
        let corpus = Corpus::encode(&tokenizer, &text.train)?;
        let options = BatchOptions {
            batch: config.train.batch,
            length: config.train.length,
            accumulation: config.train.accumulation,
            packing: config.data.packing,
            segment_masks: config.data.segment_masks,
        };
        let train = TrainingData::new(corpus, &tokenizer, options, config.run.seed)?;
        let options = EvaluationOptions {
            batch: config.evaluate.batch,
            length: config.train.length,
            stride: config.stride(),
            packing: config.data.packing,
            segment_masks: config.data.segment_masks,
        };
        let evaluation = match text.evaluate.is_empty() {
            true => None,
            false => {
                let corpus = Corpus::encode(&tokenizer, &text.evaluate)?;
                Some(EvaluationData::new(corpus, &tokenizer, options)?)
            }
        };
        Ok(Prepared { tokenizer, train, evaluation })
    }
}

/// The task of a configuration at its first step.
///
/// # Errors
/// Whatever is wrong with data, tokenizer, model or the folder of `model.init_from`.
pub fn task(
    config: &Config,
    run: Option<&Path>,
    observer: &mut dyn Observer,
) -> Result<LanguageTask, TrainError> {
    config.validate()?;
    let data = Prepared::new(config, run, observer)?;
    observer.phase("building the model");
    let device = config.run.device.device();
    let (seed, precision) = (config.run.seed, config.run.precision);
    let mut model = config.model.build(data.tokenizer.vocabulary(), seed, &device, precision)?;
    if let Some(source) = &config.model.init_from {
        let source = ModelFolder::locate(Path::new(source))?;
        let description = model_folder::read_description(&source)?;
        let file = model_folder::read_weights(&source, &description)?;
        let (started, report) = init_from(model, file, &device, precision)?;
        observer.initialised(&report);
        if description.tokenizer != data.tokenizer.fingerprint() {
            observer.notice(
                "the model of `model.init_from` was trained with another tokenizer: its embeddings do not \
                 mean the same tokens",
            );
        }
        model = started;
    }
    if let (true, true, Err(error)) = (config.sample.every > 0, config.objective.is_causal(), model.state(1))
    {
        observer.notice(&format!("no samples will be written: {error}"));
    }
    Ok(LanguageTask::new(config, data, model.train(), &device))
}
