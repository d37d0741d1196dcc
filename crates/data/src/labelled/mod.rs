//! Labelled examples, images or texts, for a classifier.

mod classes;
mod evaluation;
mod load;
mod rows;
mod source;
mod texts;
mod training;

pub(crate) use classes::{class_counts, hash_labels, one_hot, relabel, sort_classes};
use classes::{hold_out, union};
pub use evaluation::TextEvaluation;
pub use load::{LabelledData, LabelledSet, load_labelled, read_labelled};
pub use rows::TextBatch;
pub use texts::LabelledTexts;
pub use training::TextTraining;
