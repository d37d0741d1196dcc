//! What a contrastive run learns from.

use std::path::Path;

use mixlab_data::{
    ContrastiveKind, ContrastiveRows, ContrastiveTexts, ContrastiveTraining, DataError, ImageInput,
    LabelledData, Tokenizer, load_contrastive, load_labelled,
};
use mixlab_nn::embed::ImageShape;
use mixlab_nn::mixer::Lengths;
use mixlab_nn::{ClassifierInput, ModelConfig};

use super::ContrastiveConfig;
use crate::embedder_folder::EmbedderInput;
use crate::observer::Observer;
use crate::prepare::keep_tokenizer;
use crate::{Config, TrainError};

/// What belongs together, ready for batches.
pub(crate) struct ContrastiveData {
    reads: Reads,
    pub train: ContrastiveTraining,
    pub evaluation: Option<ContrastiveRows>,
}

/// How examples become inputs.
enum Reads {
    Texts(Box<Tokenizer>),
    Images {
        input: ImageInput,
        /// Positions of an image in the model.
        positions: usize,
    },
}

impl ContrastiveData {
    /// Reads the data of a run; its tokenizer, if it needs one, is kept in the run folder.
    pub fn new(
        config: &Config,
        objective: &ContrastiveConfig,
        run: Option<&Path>,
        observer: &mut dyn Observer,
    ) -> Result<Self, TrainError> {
        observer.phase("reading the data");
        let (reads, train, evaluation) = match objective.examples {
            ContrastiveKind::Images => images(config)?,
            _ => texts(config, objective, run, observer)?,
        };
        let (batch, accumulation, seed) = (config.train.batch, config.train.accumulation, config.run.seed);
        let train = ContrastiveTraining::new(train, batch, accumulation, seed)?;
        Ok(ContrastiveData { reads, train, evaluation })
    }

    /// What the model reads.
    pub fn input(&self) -> ClassifierInput {
        match &self.reads {
            Reads::Texts(tokenizer) => ClassifierInput::Tokens { vocabulary: tokenizer.vocabulary() },
            Reads::Images { input, .. } => ClassifierInput::Images(image_shape(input)),
        }
    }

    pub fn tokenizer(&self) -> Option<&Tokenizer> {
        match &self.reads {
            Reads::Texts(tokenizer) => Some(tokenizer),
            Reads::Images { .. } => None,
        }
    }

    /// Positions of an image in the model; 0 where it reads texts.
    pub fn image_positions(&self) -> usize {
        match self.reads {
            Reads::Texts(_) => 0,
            Reads::Images { positions, .. } => positions,
        }
    }

    /// What a trained model's folder says of its inputs.
    pub fn description(&self, config: &Config) -> EmbedderInput {
        match &self.reads {
            Reads::Texts(tokenizer) => EmbedderInput::Texts {
                vocabulary: tokenizer.vocabulary(),
                length: config.train.length,
                tokenizer: tokenizer.fingerprint(),
            },
            Reads::Images { input, .. } => EmbedderInput::Images { images: input.clone() },
        }
    }
}

type Read = (Reads, ContrastiveRows, Option<ContrastiveRows>);

/// Images in two views, read and split as those of classifiers are.
fn images(config: &Config) -> Result<Read, TrainError> {
    let LabelledData::Images { train, evaluate } = load_labelled(&config.data)? else {
        return Err(TrainError::Conflict {
            first: "objective.examples = \"images\"".into(),
            second: "texts under `data.train`".into(),
            reason: "two views are made of images".into(),
            remedy: "name images, or leave out `objective.examples` for pairs of texts".into(),
        });
    };
    let input = ImageInput::new(&train, &config.data.image)?;
    let rows = |set| ContrastiveRows::images(set, &input.normalisation, config.data.augment, config.run.seed);
    let (train, evaluation) = (rows(train)?, evaluate.map(rows).transpose()?);
    let positions = config.model.for_embedder_input(ClassifierInput::Images(image_shape(&input)))?.max_length;
    Ok((Reads::Images { input, positions }, train, evaluation))
}

fn texts(
    config: &Config,
    objective: &ContrastiveConfig,
    run: Option<&Path>,
    observer: &mut dyn Observer,
) -> Result<Read, TrainError> {
    let split = load_contrastive(&config.data, objective.examples)?;
    let tokenizer = keep_tokenizer(config, run, &split.train.texts(), observer)?;
    observer.phase("tokenizing");
    let length = config.train.length;
    let rows = |texts: &ContrastiveTexts, part| text_rows(texts, &tokenizer, (&config.model, length), part);
    let evaluation = match split.evaluate.is_empty() {
        true => None,
        false => Some(rows(&split.evaluate, "held-out")?),
    };
    let train = rows(&split.train, "training")?;
    if train.cut() > 0 {
        observer.notice(&format!(
            "{} texts are longer than `train.length` = {length} tokens and lose their ends",
            train.cut()
        ));
    }
    if objective.mask_same {
        check_negatives(&train)?;
    }
    let repeated = split.train.repeated();
    if repeated > 0 {
        let treated = match objective.mask_same {
            true => "they are never each other's negatives",
            false => "they are each other's negatives, since `objective.mask_same` is off",
        };
        observer.notice(&format!("{repeated} of {} examples repeat earlier ones: {treated}", train.len()));
    }
    Ok((Reads::Texts(Box::new(tokenizer)), train, evaluation))
}

/// Nothing can be learned where every candidate of every anchor is masked.
fn check_negatives(rows: &ContrastiveRows) -> Result<(), TrainError> {
    let first = rows.identities(0);
    let same = first.windows(2).all(|pair| pair[0] == pair[1])
        && (1..rows.columns()).all(|column| rows.identities(column) == first);
    if !same {
        return Ok(());
    }
    Err(TrainError::Conflict {
        first: "objective.mask_same".into(),
        second: "examples that all repeat each other's texts".into(),
        reason: "what shares a text is one thing, so that no example has a negative".into(),
        remedy: "name examples that differ under `data.train`, or set `objective.mask_same = false`".into(),
    })
}

/// Texts as rows of at most `length` tokens, or where the model takes one length only, of as many.
pub(crate) fn text_rows(
    texts: &ContrastiveTexts,
    tokenizer: &Tokenizer,
    (model, length): (&ModelConfig, usize),
    part: &'static str,
) -> Result<ContrastiveRows, DataError> {
    let full = matches!(model.lengths(false), Lengths::Exactly(_));
    ContrastiveRows::texts(texts, tokenizer, (length, full), part)
}

/// The shape of an image, as models know it.
pub(crate) fn image_shape(input: &ImageInput) -> ImageShape {
    let mixlab_data::ImageShape { height, width, channels } = input.shape;
    ImageShape { height, width, channels }
}
