//! Measuring a classifier.

use std::path::Path;

use mixlab_data::{
    DataConfig, DataError, ImageEvaluation, LabelledData, LabelledSet, TextEvaluation, load_labelled,
    read_labelled,
};
use mixlab_train::{ClassifierFolder, Config, Confusion, Evaluation, HeldOut, evaluate_classifier};
use serde::Serialize;

use super::Eval;
use crate::failure::{Exit, Failure, ProgramError};
use crate::output::{columns, print, print_json};

#[derive(Serialize)]
struct Measured<'a> {
    /// Mean negative log-likelihood in nats per example.
    loss: f64,
    accuracy: f64,
    examples: u64,
    #[serde(flatten)]
    confusion: &'a Confusion,
    /// Share of each class that was told right.
    recall: Vec<Option<f64>>,
}

impl Eval {
    pub(super) fn run_classifier(&self, path: &Path, run: Option<&Config>) -> Result<Exit, Failure> {
        let device = self.device.open();
        let folder = ClassifierFolder::load(path, &device)?;
        let batch = self.batch.or(run.map(|config| config.evaluate.batch)).unwrap_or(64);
        let set = self.examples(&folder, run)?;
        let precision = folder.config.precision;
        let measure =
            |data| evaluate_classifier(&folder.model, &folder.config.classes, data, &device, precision);
        let (evaluation, confusion) = match (set, &folder.config.images, &folder.tokenizer) {
            (LabelledSet::Images(set), Some(images), _) => {
                images.check(&set, self.files.first().map_or(path, |file| file.as_path()))?;
                measure(HeldOut::Images(&ImageEvaluation::new(set, &images.normalisation, batch)?))
            }
            (LabelledSet::Texts(texts), _, Some(tokenizer)) => {
                let length = folder.config.length;
                measure(HeldOut::Texts(&TextEvaluation::new(texts, tokenizer, length, batch)?))
            }
            (found, ..) => {
                let (found, expected) = match found {
                    LabelledSet::Images(_) => ("images", "texts, which this classifier reads"),
                    LabelledSet::Texts(_) => ("texts", "images, which this classifier reads"),
                };
                return Err(ProgramError::Argument {
                    argument: "the data",
                    found: found.to_owned(),
                    expected: expected.to_owned(),
                }
                .into());
            }
        };
        self.report(&evaluation, &confusion)
    }

    /// The files, or what the run held out, with the classes of the model.
    fn examples(&self, folder: &ClassifierFolder, run: Option<&Config>) -> Result<LabelledSet, Failure> {
        let held_out = match (self.files.as_slice(), run) {
            ([], Some(config)) => match load_labelled(&config.data)? {
                LabelledData::Images { evaluate, .. } => evaluate.map(LabelledSet::Images),
                LabelledData::Texts { evaluate, .. } => evaluate.map(LabelledSet::Texts),
            },
            ([], None) => None,
            (files, _) => {
                let config = DataConfig {
                    text_field: self.text_field.clone(),
                    label_field: self.label_field.clone(),
                    ..run.map_or_else(DataConfig::default, |config| config.data.clone())
                };
                Some(read_labelled(files, &[], &config)?)
            }
        };
        let nothing = || ProgramError::NothingToMeasure { path: self.model.clone() };
        let classes = &folder.config.classes;
        let known = |set| -> Result<LabelledSet, DataError> {
            Ok(match set {
                LabelledSet::Images(set) => LabelledSet::Images(set.with_classes(classes)?),
                LabelledSet::Texts(texts) => LabelledSet::Texts(texts.with_classes(classes)?),
            })
        };
        Ok(known(held_out.ok_or_else(nothing)?)?)
    }

    fn report(&self, evaluation: &Evaluation, confusion: &Confusion) -> Result<Exit, Failure> {
        if let Some(path) = &self.confusion {
            confusion.draw(path)?;
        }
        let accuracy = confusion.accuracy();
        let (loss, examples, recall) = (evaluation.loss, confusion.total(), confusion.recalls());
        if self.json {
            print_json(&Measured { loss, accuracy, examples, confusion, recall })?;
            return Ok(Exit::Done);
        }
        let mut rows = vec![
            vec!["loss".to_owned(), format!("{loss:.4} nats/example")],
            vec!["accuracy".into(), format!("{:.2} % of {examples}", 100.0 * accuracy)],
        ];
        for (class, recall) in confusion.classes.iter().zip(recall) {
            let recall = recall.map_or("no example".to_owned(), |recall| format!("{:.1} %", 100.0 * recall));
            rows.push(vec![format!("  {class}"), recall]);
        }
        print(&columns(&rows))?;
        Ok(Exit::Done)
    }
}
