//! From a configuration to a task: data, tokenizer and model.

use std::path::Path;

use burn::module::Module;
use mixlab_data::{
    BatchOptions, Corpus, Documents, EvaluationData, EvaluationOptions, Tokenizer, TrainingData, load,
};
use mixlab_nn::LanguageModel;
use mixlab_nn::latent::TextVae;
use mixlab_nn::seq2seq::SequenceToSequence;

use crate::adversarial::{AdversarialData, AdversarialDescription, known_traps};
use crate::model_folder::{self, ModelFolder, TOKENIZER};
use crate::observer::Observer;
use crate::parameters::init_from;
use crate::task::{ContrastiveData, Examples, PairData};
use crate::text_vae::TextVaeData;
use crate::{
    AdversarialTask, ClassificationTask, Config, ContrastiveTask, Folded, LanguageTask, ObjectiveConfig,
    PairTask, Task, TextVaeTask, TrainError, Writer, storage,
};

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
        let tokenizer = keep_tokenizer(config, run, &text.train, observer)?;
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

/// The tokenizer of a run: the one its folder keeps, or one learned from `text` and then kept there, so that a resumed
/// run does not learn it again.
pub(crate) fn keep_tokenizer(
    config: &Config,
    run: Option<&Path>,
    text: &Documents,
    observer: &mut dyn Observer,
) -> Result<Tokenizer, TrainError> {
    let kept = run.map(|run| run.join(TOKENIZER));
    let tokenizer = match &kept {
        Some(path) if path.is_file() => Tokenizer::load(path)?,
        _ => {
            observer.phase("preparing the tokenizer");
            Tokenizer::train(&config.tokenizer, text)?
        }
    };
    if let Some(path) = kept.filter(|path| !path.is_file()) {
        storage::write_atomic(&path, tokenizer.json().as_bytes())?;
    }
    Ok(tokenizer)
}

/// The task of a configuration at its first step.
///
/// # Errors
/// Whatever is wrong with data, tokenizer, model or the folder of `model.init_from`.
pub fn task(
    config: &Config,
    run: Option<&Path>,
    observer: &mut dyn Observer,
) -> Result<Box<dyn Task>, TrainError> {
    Ok(match config.objective {
        ObjectiveConfig::CausalLm | ObjectiveConfig::MaskedLm { .. } => {
            Box::new(language_task(config, run, observer)?)
        }
        ObjectiveConfig::SequenceToSequence { .. } | ObjectiveConfig::SpanCorruption { .. } => {
            match config.model.encoder {
                Some(_) => Box::new(pair_task::<SequenceToSequence>(config, run, observer)?),
                None => Box::new(pair_task::<LanguageModel>(config, run, observer)?),
            }
        }
        ObjectiveConfig::Contrastive(_) => Box::new(contrastive_task(config, run, observer)?),
        ObjectiveConfig::TextVae(_) => Box::new(text_vae_task(config, run, observer)?),
        ObjectiveConfig::Adversarial(_) => Box::new(adversarial_task(config, observer)?),
        ObjectiveConfig::Classification { .. } => Box::new(classification_task(config, run, observer)?),
    })
}

/// The task of a language model.
///
/// # Errors
/// As [`task`].
pub fn language_task(
    config: &Config,
    run: Option<&Path>,
    observer: &mut dyn Observer,
) -> Result<LanguageTask, TrainError> {
    config.validate()?;
    let data = Prepared::new(config, run, observer)?;
    observer.phase("building the model");
    let device = config.run.device.device();
    let (seed, precision) = (config.run.seed, config.run.precision);
    let model = config.model.build(data.tokenizer.vocabulary(), seed, &device, precision)?;
    let model = started(model, config, Some(&data.tokenizer.fingerprint()), observer)?;
    if let (true, true, Err(error)) = (config.sample.every > 0, config.objective.is_causal(), model.state(1))
    {
        observer.notice(&format!("no samples will be written: {error}"));
    }
    Ok(LanguageTask::new(config, data, model.train(), &device))
}

/// The task of a model that writes targets.
///
/// # Errors
/// As [`task`].
pub fn pair_task<M: Writer + Folded>(
    config: &Config,
    run: Option<&Path>,
    observer: &mut dyn Observer,
) -> Result<PairTask<M>, TrainError> {
    config.validate()?;
    let data = PairData::new(config, run, observer)?;
    observer.phase("building the model");
    let device = config.run.device.device();
    let (seed, precision) = (config.run.seed, config.run.precision);
    let vocabulary = config.vocabulary(&data.tokenizer);
    let model = M::build(&config.model, &config.objective, vocabulary, seed, &device, precision)?;
    let model = started(model, config, Some(&data.tokenizer.fingerprint()), observer)?;
    if config.train.layers_every > 0 {
        observer.notice("no histograms by block will be written: this objective may have two stacks of them");
    }
    if let (true, Err(error)) = (config.sample.every > 0, model.check_stepping()) {
        observer.notice(&format!("no samples will be written: {error}"));
    }
    Ok(PairTask::new(config, data, model.train(), &device))
}

/// The task of an embedding model.
///
/// # Errors
/// As [`task`].
pub fn contrastive_task(
    config: &Config,
    run: Option<&Path>,
    observer: &mut dyn Observer,
) -> Result<ContrastiveTask, TrainError> {
    config.validate()?;
    let objective = config.objective.contrastive().cloned().unwrap_or_default();
    let data = ContrastiveData::new(config, &objective, run, observer)?;
    observer.phase("building the model");
    let device = config.run.device.device();
    let (seed, precision) = (config.run.seed, config.run.precision);
    let temperature = objective.temperature.is_learned().then(|| objective.temperature.initial());
    let model = config.model.build_embedder(data.input(), temperature, seed, &device, precision)?;
    let tokenizer = data.tokenizer().map(Tokenizer::fingerprint);
    let model = started(model, config, tokenizer.as_deref(), observer)?;
    Ok(ContrastiveTask::new(config, &objective, data, model.train(), &device))
}

/// The task of a text VAE.
///
/// # Errors
/// As [`task`].
pub fn text_vae_task(
    config: &Config,
    run: Option<&Path>,
    observer: &mut dyn Observer,
) -> Result<TextVaeTask, TrainError> {
    config.validate()?;
    let objective = config.objective.text_vae().cloned().unwrap_or_default();
    let data = TextVaeData::new(config, run, observer)?;
    observer.phase("building the model");
    let device = config.run.device.device();
    let (seed, precision) = (config.run.seed, config.run.precision);
    let vocabulary = data.tokenizer.vocabulary();
    let model = TextVae::build(&config.model, &config.objective, vocabulary, seed, &device, precision)?;
    let model = started(model, config, Some(&data.tokenizer.fingerprint()), observer)?;
    if config.train.layers_every > 0 {
        observer
            .notice("no histograms by block will be written: this objective goes through the stack twice");
    }
    Ok(TextVaeTask::new(config, &objective, data, model.train(), &device))
}

/// The task of a generator and its critic.
///
/// # Errors
/// As [`task`].
pub fn adversarial_task(config: &Config, observer: &mut dyn Observer) -> Result<AdversarialTask, TrainError> {
    config.validate()?;
    let objective = config.objective.adversarial().cloned().unwrap_or_default();
    for trap in known_traps(&objective) {
        observer.notice(&trap);
    }
    let data = AdversarialData::new(config, &objective, observer)?;
    observer.phase("building the networks");
    let device = config.run.device.device();
    let description = AdversarialDescription {
        format: model_folder::FORMAT,
        model: config.model.clone(),
        objective: config.objective.clone(),
        shape: data.shape(),
        points: data.points(),
        images: data.input().cloned(),
        classes: data.classes().to_vec(),
        precision: config.run.precision,
        weights: None,
    };
    let (generator, critic) = description.networks(config.run.seed, &device)?;
    let networks = (generator.train(), critic.train());
    Ok(AdversarialTask::new(config, &objective, data, description, networks, &device))
}

/// The task of a classifier.
///
/// # Errors
/// As [`task`].
pub fn classification_task(
    config: &Config,
    run: Option<&Path>,
    observer: &mut dyn Observer,
) -> Result<ClassificationTask, TrainError> {
    config.validate()?;
    let data = Examples::new(config, run, observer)?;
    observer.phase("building the model");
    let device = config.run.device.device();
    let (seed, precision) = (config.run.seed, config.run.precision);
    let tokenizer = data.tokenizer().map(Tokenizer::fingerprint);
    let classes = data.classes().len();
    let model = config.model.build_classifier(data.input(), classes, seed, &device, precision)?;
    let model = started(model, config, tokenizer.as_deref(), observer)?;
    ClassificationTask::new(config, data, model.train(), &device)
}

/// The model with the parameters of `model.init_from` where they fit; `tokenizer` is the fingerprint of its own.
fn started<M: Module>(
    model: M,
    config: &Config,
    tokenizer: Option<&str>,
    observer: &mut dyn Observer,
) -> Result<M, TrainError> {
    let Some(source) = &config.model.init_from else { return Ok(model) };
    let source = ModelFolder::locate(Path::new(source))?;
    let description = model_folder::read_origin(&source)?;
    let file = model_folder::read_weights(&source, description.weights.as_ref())?;
    let device = config.run.device.device();
    let (started, report) = init_from(model, file, &device, config.run.precision)?;
    observer.initialised(&report);
    let scheme = &config.model.residual;
    if scheme.draws() && !report.taken.is_empty() {
        observer.notice(&format!(
            "`model.residual.kind = \"{}\"` depends on the first values of weights, and those of `model.init_from` replace \
             them: the factor of the shortcut still acts, the gain of the branches does not",
            scheme.name()
        ));
    }
    if description.tokenizer.as_deref() != tokenizer {
        observer.notice(
            "the model of `model.init_from` was trained with another tokenizer: its embeddings do not mean the same \
             tokens",
        );
    }
    Ok(started)
}
