//! From files to batches: readers, tokenizers, and batches that are a pure function of
//! (files, seed, step).
//!
//! The way through the crate:
//!
//! 1. [`DataConfig`] names files; [`load`] reads them and sets the held-out text aside ([`TextSplit`]).
//! 2. [`Tokenizer::train`] learns a vocabulary from the training part only.
//! 3. [`Corpus::encode`] turns documents into one array of token ids.
//! 4. [`TrainingData::batch`] answers with the batch of any step, in any order, always the same.
//!    [`EvaluationData`] scores every token of the held-out text exactly once.
//! 5. [`mask_batch`] hides tokens for a masked language model.
//!
//! A classifier takes another way: [`load_labelled`] reads images or texts with their labels and sets
//! examples of every class aside; [`ImageTraining`] and [`TextTraining`] answer with the batch of any
//! step, [`ImageEvaluation`] and [`TextEvaluation`] with every held-out example once. [`ImageInput`]
//! reads images for a trained model as they were read for its training.
//!
//! A text VAE reads sentences: [`SentenceTraining`] answers with the sentences of any step, each between the tokens of an [`Enclosure`],
//! and [`SentenceEvaluation`] with every held-out one once.
//!
//! Vectors of texts have their own way: [`Texts`] hands out one text a line or record, [`VectorWriter`] writes
//! what a model made of them, and [`read_vectors`] reads it back.
//!
//! ```
//! use mixlab_data::{BatchOptions, Corpus, Documents, Tokenizer, TokenizerConfig, TrainingData};
//! # fn main() -> Result<(), mixlab_data::DataError> {
//! let text = Documents::from_iter(["The quick brown fox.", "It jumps."]);
//! let tokenizer = Tokenizer::train(&TokenizerConfig::Byte, &text)?;
//! let corpus = Corpus::encode(&tokenizer, &text)?;
//! let options = BatchOptions { batch: 2, length: 8, ..BatchOptions::default() };
//! let data = TrainingData::new(corpus, &tokenizer, options, 7)?;
//! assert_eq!(data.batch(3, 0), data.batch(3, 0));
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod batch;
mod config;
mod contrastive;
mod corpus;
mod documents;
mod epochs;
mod error;
mod evaluation;
mod grammar;
mod image;
mod inspect;
mod labelled;
mod masking;
mod pairs;
mod points;
mod read;
mod sentences;
mod split;
mod tokenizer;
mod training;
mod vectors;

pub use batch::{BatchOptions, TokenBatch};
pub use config::{DataConfig, DocumentSeparator, FileFormat, Packing, SegmentMasks};
pub use contrastive::{
    ContrastiveBatch, ContrastiveKind, ContrastiveRows, ContrastiveSplit, ContrastiveTexts,
    ContrastiveTraining, ImageViews, RowInputs, TextRows, load_contrastive,
};
pub use corpus::Corpus;
pub use documents::Documents;
pub use error::DataError;
pub use evaluation::{EvaluationData, EvaluationOptions};
pub use grammar::{Grammar, GrammarLanguage, GrammarSentence};
pub use image::{
    AugmentConfig, Cifar100Label, ImageBatch, ImageConfig, ImageEvaluation, ImageInput, ImageRows, ImageSet,
    ImageShape, ImageTraining, Normalisation, encode_png,
};
pub use inspect::{FileSummary, inspect};
pub use labelled::{
    LabelledData, LabelledSet, LabelledTexts, TextBatch, TextEvaluation, TextTraining, load_labelled,
    read_labelled,
};
pub use masking::{MaskingConfig, mask_batch};
pub use pairs::{
    PairBatch, PairEvaluation, PairOptions, PairSplit, PairTraining, Pairs, SpanConfig, hide_spans,
    load_pairs, read_pairs, read_scored_pairs, sentinel_text,
};
pub use points::{Modes, PointSet};
pub use read::{Texts, read_file};
pub use sentences::{Enclosure, SentenceBatch, SentenceEvaluation, SentenceNotes, SentenceTraining};
pub use split::{TextSplit, load};
pub use tokenizer::{
    END_OF_TEXT, Frame, MASK, PADDING, TextStream, Tokenizer, TokenizerConfig, VocabularyConfig,
};
pub use training::TrainingData;
pub use vectors::{
    UnknownVectorFormat, VectorError, VectorFormat, VectorWriter, Vectors, read_vectors, write_json_lines,
};
