//! What a run reads and how its documents are laid into rows.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::DataError;
use crate::image::{AugmentConfig, ImageConfig};
use crate::points::PointSet;

/// Which files a run reads, which part of them it never trains on, and how they become rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct DataConfig {
    /// Files or folders to train on. Of a folder, every file of a known format is read, in the order of names; a folder of class folders holds pictures.
    pub train: Vec<PathBuf>,
    /// Files or folders to measure on. When empty, the end of the training text, or of every class, is held out instead.
    pub evaluate: Vec<PathBuf>,
    /// The part of the training text, counted in bytes from its end, that is held out when `evaluate` is empty; 0 holds out nothing. Of labelled data, the last examples of every class.
    pub evaluate_fraction: f64,
    /// The format of every file; `auto` goes by the file name.
    pub format: FileFormat,
    /// The field or column that holds the text in JSON lines, CSV, TSV and Parquet files.
    pub text_field: String,
    /// The field or column that holds the label of a text, a word or a whole number, in the same files. Only classifiers read it.
    pub label_field: String,
    /// The field or column that holds what is read, in the same files. Only sequence-to-sequence models read it.
    pub source_field: String,
    /// The field or column that holds what is to be written, in the same files. Only sequence-to-sequence models read it.
    pub target_field: String,
    /// The field or column that holds a text like the target that is not one, in the same files. Only contrastive runs on triples read it.
    pub negative_field: String,
    /// Where one document ends and the next begins in plain text files.
    pub document_separator: DocumentSeparator,
    /// How documents are laid into rows of the training length.
    pub packing: Packing,
    /// Whether tokens may attend to other documents in the same row.
    pub segment_masks: SegmentMasks,
    /// How images are read.
    pub image: ImageConfig,
    /// How training images are changed each time they are shown.
    pub augment: AugmentConfig,
    /// A distribution of points in the place of files. Only adversarial runs take points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub points: Option<PointSet>,
}

impl Default for DataConfig {
    fn default() -> Self {
        DataConfig {
            train: Vec::new(),
            evaluate: Vec::new(),
            evaluate_fraction: 0.1,
            format: FileFormat::Auto,
            text_field: "text".to_owned(),
            label_field: "label".to_owned(),
            source_field: "source".to_owned(),
            target_field: "target".to_owned(),
            negative_field: "negative".to_owned(),
            document_separator: DocumentSeparator::File,
            packing: Packing::Packed,
            segment_masks: SegmentMasks::Auto,
            image: ImageConfig::default(),
            augment: AugmentConfig::default(),
            points: None,
        }
    }
}

impl DataConfig {
    /// Checks every value that the type does not.
    ///
    /// # Errors
    /// When nothing is named to train on, a fraction lies outside 0 to 0.9, a field has no name, a
    /// value of `image` or `augment` is out of range, or a path is both trained on and measured on.
    pub fn validate(&self) -> Result<(), DataError> {
        if self.train.is_empty() && self.points.is_none() {
            return Err(DataError::NothingToRead);
        }
        if !(0.0..=0.9).contains(&self.evaluate_fraction) {
            return Err(DataError::OutOfRange {
                key: "data.evaluate_fraction",
                value: self.evaluate_fraction.to_string(),
                range: "0 to 0.9".to_owned(),
            });
        }
        for (key, name) in [
            ("data.text_field", &self.text_field),
            ("data.label_field", &self.label_field),
            ("data.source_field", &self.source_field),
            ("data.target_field", &self.target_field),
            ("data.negative_field", &self.negative_field),
        ] {
            if name.is_empty() {
                let (value, range) = ("\"\"".to_owned(), "the name of a field".to_owned());
                return Err(DataError::OutOfRange { key, value, range });
            }
        }
        self.image.validate()?;
        self.augment.validate()?;
        match self.evaluate.iter().find(|path| self.train.contains(path)) {
            Some(path) => Err(DataError::Overlap { path: path.clone() }),
            None => Ok(()),
        }
    }
}

/// The format of a data file. Gzip (`.gz`) and Zstandard (`.zst`) are recognised on top of every
/// format but Parquet and pictures, which compress inside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileFormat {
    /// By the file name: `.txt`, `.text`, `.md`, `.jsonl`, `.ndjson`, `.csv`, `.tsv`, `.parquet`, and the first seven with `.gz` or `.zst`. Of images: names with `idx3` or `idx4`, `.bin`, and folders of class folders.
    #[default]
    Auto,
    /// Plain text.
    Text,
    /// One JSON object a line.
    JsonLines,
    /// Comma-separated values with a header row.
    Csv,
    /// Tab-separated values with a header row.
    Tsv,
    /// Apache Parquet.
    Parquet,
    /// Images in the idx format of MNIST, with the labels in a second file.
    Idx,
    /// Records of the binary version of CIFAR-10.
    Cifar10,
    /// Records of the binary version of CIFAR-100.
    Cifar100,
    /// A folder with one folder of PNG and JPEG pictures for each class.
    ImageFolder,
}

/// Where documents end in a plain text file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DocumentSeparator {
    /// A file is one document.
    #[default]
    File,
    /// A line is one document, without its line end; blank lines are skipped.
    Line,
    /// Documents are separated by one or more blank lines.
    BlankLine,
    /// Documents are separated by lines that hold only `<|endoftext|>`.
    Marker,
}

/// How documents are laid into rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Packing {
    /// All documents end to end, cut into full rows: nothing is wasted on padding.
    #[default]
    Packed,
    /// One document a row, padded on the right; a longer document takes several rows.
    Documents,
}

/// Whether rows carry the ids that keep attention inside a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SegmentMasks {
    /// When packed rows can hold more than one document.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never: tokens see earlier documents of their row.
    Never,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> DataConfig {
        DataConfig { train: vec!["a.txt".into()], ..DataConfig::default() }
    }

    #[test]
    fn accepts_the_defaults_with_a_file() {
        assert!(config().validate().is_ok());
    }

    #[test]
    fn refuses_nothing_to_read_bad_fractions_and_measuring_on_training_text() {
        assert!(matches!(DataConfig::default().validate(), Err(DataError::NothingToRead)));
        for fraction in [-0.1, 0.95, f64::NAN] {
            let bad = DataConfig { evaluate_fraction: fraction, ..config() };
            assert!(matches!(bad.validate(), Err(DataError::OutOfRange { .. })), "{fraction}");
        }
        let overlap = DataConfig { evaluate: vec!["b.txt".into(), "a.txt".into()], ..config() };
        assert!(matches!(overlap.validate(), Err(DataError::Overlap { .. })));
        let nameless = DataConfig { text_field: String::new(), ..config() };
        assert!(matches!(nameless.validate(), Err(DataError::OutOfRange { .. })));
    }
}
