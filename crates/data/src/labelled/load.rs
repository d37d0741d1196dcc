//! Examples to train on and examples to measure on.

use std::path::{Path, PathBuf};

use super::source::{Source, sources};
use super::{LabelledTexts, hold_out, relabel, union};
use crate::image::{AugmentConfig, Conversion, ImageSet, find_labels, read_cifar, read_folder, read_idx};
use crate::{DataConfig, DataError, read};

/// Labelled examples of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelledSet {
    /// Images.
    Images(ImageSet),
    /// Texts.
    Texts(LabelledTexts),
}

/// The examples of a run: what it learns from, and what it is measured on, with the same classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelledData {
    /// Images.
    Images {
        /// Images to train on.
        train: ImageSet,
        /// Images to measure on, if anything is held out.
        evaluate: Option<ImageSet>,
    },
    /// Texts.
    Texts {
        /// Texts to train on, the tokenizer included.
        train: LabelledTexts,
        /// Texts to measure on, if anything is held out.
        evaluate: Option<LabelledTexts>,
    },
}

impl LabelledData {
    /// Names of the classes, those of the training examples.
    pub fn classes(&self) -> &[String] {
        match self {
            LabelledData::Images { train, .. } => &train.classes,
            LabelledData::Texts { train, .. } => &train.classes,
        }
    }
}

/// Reads every file of a classifier's run and sets the held-out examples apart: the files of
/// `evaluate`, or else the last `evaluate_fraction` of the examples of every class, in the order of
/// the files. No chance is involved, so that every seed is measured on the same examples.
///
/// The classes are those of the training files: the labels that appear in them, in order, or those
/// that their format fixes.
///
/// # Errors
/// A config out of range, anything wrong with a file, examples of one class only, or a class to
/// measure on of which there is nothing to train on.
pub fn load_labelled(config: &DataConfig) -> Result<LabelledData, DataError> {
    config.validate()?;
    let train = Part::new(&config.train, "data.image.train_labels", &config.image.train_labels, config)?;
    let evaluate =
        Part::new(&config.evaluate, "data.image.evaluate_labels", &config.image.evaluate_labels, config)?;
    if let Some(both) = evaluate.sources.iter().find(|source| train.sources.contains(source)) {
        return Err(DataError::Overlap { path: both.path().to_owned() });
    }
    let data = match (train.read(config)?, evaluate.is_empty()) {
        (LabelledSet::Images(all), true) => split_images(all, config.evaluate_fraction),
        (LabelledSet::Texts(all), true) => split_texts(all, config.evaluate_fraction),
        (data, false) => pair(data, evaluate.read(config)?, train.first(), evaluate.first())?,
    };
    let counts = match &data {
        LabelledData::Images { train, .. } => train.class_counts(),
        LabelledData::Texts { train, .. } if config.augment == AugmentConfig::default() => {
            train.class_counts()
        }
        LabelledData::Texts { .. } => {
            return Err(DataError::AugmentedText { path: train.first().to_owned() });
        }
    };
    let present: Vec<usize> = (0..counts.len()).filter(|&class| counts[class] > 0).collect();
    match present[..] {
        [class] => Err(DataError::OneClass { class: data.classes()[class].clone() }),
        _ => Ok(data),
    }
}

/// Reads labelled examples, such as those a trained model is to be measured on: match them to its
/// classes with [`ImageSet::with_classes`] or [`LabelledTexts::with_classes`].
///
/// Of `config`, the paths do not matter; `labels` are the labels of the idx files among `paths`, or
/// empty to find them by their names.
///
/// # Errors
/// Anything wrong with a file.
pub fn read_labelled(
    paths: &[PathBuf],
    labels: &[PathBuf],
    config: &DataConfig,
) -> Result<LabelledSet, DataError> {
    if paths.is_empty() {
        return Err(DataError::NothingToRead);
    }
    Part::new(paths, "data.image.evaluate_labels", labels, config)?.read(config)
}

/// What is trained on or what is measured on, before it is read.
struct Part<'c> {
    sources: Vec<Source>,
    /// Labels of the idx files, and the config key they come from.
    labels: (&'static str, &'c [PathBuf]),
}

impl<'c> Part<'c> {
    fn new(
        paths: &[PathBuf],
        key: &'static str,
        labels: &'c [PathBuf],
        config: &DataConfig,
    ) -> Result<Self, DataError> {
        let sources = sources(paths, config.format)?;
        let images = sources.iter().filter(|source| matches!(source, Source::Idx(_))).count();
        if !labels.is_empty() && labels.len() != images {
            return Err(DataError::LabelFiles { key, labels: labels.len(), images });
        }
        Ok(Part { sources, labels: (key, labels) })
    }

    fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    fn first(&self) -> &Path {
        self.sources.first().map_or(Path::new(""), Source::path)
    }

    fn read(&self, config: &DataConfig) -> Result<LabelledSet, DataError> {
        match self.sources.first() {
            Some(Source::Text(_)) => Ok(LabelledSet::Texts(self.read_texts(config)?)),
            _ => Ok(LabelledSet::Images(self.read_images(config)?)),
        }
    }

    fn read_texts(&self, config: &DataConfig) -> Result<LabelledTexts, DataError> {
        if config.text_field == config.label_field {
            return Err(DataError::OutOfRange {
                key: "data.label_field",
                value: format!("{:?}", config.label_field),
                range: "another field than `data.text_field`".to_owned(),
            });
        }
        let read = |source: &Source| match source {
            Source::Text(path) => read::read_labelled_file(path, config),
            other => Err(mixed(other.path(), self.first())),
        };
        LabelledTexts::merge(self.sources.iter().map(read).collect::<Result<_, _>>()?)
    }

    fn read_images(&self, config: &DataConfig) -> Result<ImageSet, DataError> {
        let conversion = Conversion::of(&config.image);
        let mut labels = self.labels.1.iter();
        let mut sets = Vec::new();
        for source in &self.sources {
            let set = match source {
                Source::Folder(path) => read_folder(path, conversion)?,
                Source::Cifar(path, kind) => {
                    conversion.set(path, read_cifar(path, *kind, config.image.cifar100_label)?)?
                }
                Source::Idx(path) => {
                    let labels = labels.next().map_or_else(|| find_labels(path), |path| Ok(path.clone()))?;
                    conversion.set(path, read_idx(path, &labels)?)?
                }
                Source::Text(path) => return Err(mixed(self.first(), path)),
            };
            sets.push((source.path(), set));
        }
        merge(sets)
    }
}

fn mixed(images: &Path, texts: &Path) -> DataError {
    DataError::MixedKinds { images: images.to_owned(), texts: texts.to_owned() }
}

/// The images of several files with the classes of all of them.
fn merge(sets: Vec<(&Path, ImageSet)>) -> Result<ImageSet, DataError> {
    let classes = union(sets.iter().map(|(_, set)| &set.classes[..]));
    let mut sets = sets.into_iter();
    let (first, all) = sets.next().ok_or(DataError::NothingToRead)?;
    let mut all = all.with_classes(&classes)?;
    for (path, mut set) in sets {
        same_shape((path, &set), (first, &all))?;
        relabel(&mut set.labels, &set.classes, &classes)?;
        all.pixels.append(&mut set.pixels);
        all.labels.append(&mut set.labels);
    }
    Ok(all)
}

fn same_shape(one: (&Path, &ImageSet), first: (&Path, &ImageSet)) -> Result<(), DataError> {
    let (found, expected) = (one.1.shape(), first.1.shape());
    if found != expected {
        let (path, first) = (one.0.to_owned(), first.0.to_owned());
        return Err(DataError::ImagesDiffer { path, found, first, expected });
    }
    Ok(())
}

/// Puts together what was named to train on and what was named to measure on.
fn pair(
    train: LabelledSet,
    evaluate: LabelledSet,
    first: &Path,
    first_held_out: &Path,
) -> Result<LabelledData, DataError> {
    match (train, evaluate) {
        (LabelledSet::Images(train), LabelledSet::Images(evaluate)) => {
            same_shape((first_held_out, &evaluate), (first, &train))?;
            let evaluate = Some(evaluate.with_classes(&train.classes)?);
            Ok(LabelledData::Images { train, evaluate })
        }
        (LabelledSet::Texts(train), LabelledSet::Texts(evaluate)) => {
            let evaluate = Some(evaluate.with_classes(&train.classes)?);
            Ok(LabelledData::Texts { train, evaluate })
        }
        (LabelledSet::Images(_), LabelledSet::Texts(_)) => Err(mixed(first, first_held_out)),
        (LabelledSet::Texts(_), LabelledSet::Images(_)) => Err(mixed(first_held_out, first)),
    }
}

fn split_images(all: ImageSet, fraction: f64) -> LabelledData {
    let (train, evaluate) = hold_out(&all.labels, all.classes.len(), fraction);
    match evaluate.is_empty() {
        true => LabelledData::Images { train: all, evaluate: None },
        false => {
            let evaluate = Some(all.select(&evaluate));
            LabelledData::Images { train: all.select(&train), evaluate }
        }
    }
}

fn split_texts(all: LabelledTexts, fraction: f64) -> LabelledData {
    let (train, evaluate) = all.split(fraction);
    let evaluate = (!evaluate.is_empty()).then_some(evaluate);
    LabelledData::Texts { train, evaluate }
}
