//! Learning a vocabulary, offline and the same every time.

use std::collections::BTreeMap;

use tokenizers::decoders::DecoderWrapper;
use tokenizers::decoders::byte_level::ByteLevel;
use tokenizers::decoders::sequence::Sequence;
use tokenizers::models::ModelWrapper;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::models::unigram::{Unigram, UnigramTrainer};
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::Replace;
use tokenizers::{AddedToken, Tokenizer as Pipeline};

use super::layout::{self, CONTINUATION, SPECIAL_TOKENS};
use super::merges::MergeLearner;
use super::segmentation::{Cut, Segmenter};
use super::{VocabularyConfig, library_error};
use crate::{DataError, Documents};

/// A token for every byte, and nothing learned.
pub(super) fn byte() -> Result<Pipeline, DataError> {
    let model = bpe_model(layout::base_tokens(), Vec::new())?;
    assemble(model, Cut::Words)
}

pub(super) fn bpe(config: &VocabularyConfig, documents: &Documents) -> Result<Pipeline, DataError> {
    let words = Segmenter::new(Cut::Words)?.count_words(documents, config.training_bytes);
    let learner = MergeLearner::new(layout::base_tokens(), "", &words);
    let (tokens, merges) = learner.learn(config.vocabulary, config.minimum_count);
    assemble(bpe_model(tokens, merges)?, Cut::Words)
}

/// The vocabulary of WordPiece is found as that of BPE is; only the way of applying it differs.
pub(super) fn wordpiece(config: &VocabularyConfig, documents: &Documents) -> Result<Pipeline, DataError> {
    let words = Segmenter::new(Cut::BoundedWords)?.count_words(documents, config.training_bytes);
    let mut tokens = layout::base_tokens();
    tokens.extend(layout::byte_characters().map(|character| format!("{CONTINUATION}{character}")));
    let learner = MergeLearner::new(tokens, CONTINUATION, &words);
    let (tokens, _) = learner.learn(config.vocabulary, config.minimum_count);
    let model = WordPiece::builder()
        .vocab(vocabulary(tokens))
        .continuing_subword_prefix(CONTINUATION.to_owned())
        // The pre-tokenizer has cut longer words already; all bytes are known, so none is unknown.
        .max_input_chars_per_word(1000)
        .build()
        .map_err(|error| library_error("train", error))?;
    assemble(model.into(), Cut::BoundedWords)
}

/// The most frequent characters, by falling count and then by spelling. They are looked up whole, as words that are in the
/// vocabulary; with no merges, other characters stay in bytes.
pub(super) fn character(config: &VocabularyConfig, documents: &Documents) -> Result<Pipeline, DataError> {
    let counts = Segmenter::new(Cut::Characters)?.count_words(documents, config.training_bytes);
    let mut tokens = layout::base_tokens();
    let mut frequent: Vec<(String, u64)> = counts
        .into_iter()
        // One byte is a token already.
        .filter(|(spelled, count)| spelled.chars().count() > 1 && *count >= config.minimum_count)
        .collect();
    frequent.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    frequent.truncate(config.vocabulary - tokens.len());
    tokens.extend(frequent.into_iter().map(|(spelled, _)| spelled));
    let model = BPE::builder().vocab_and_merges(vocabulary(tokens), Vec::new()).ignore_merges(true).build();
    let model = model.map_err(|error| library_error("train", error))?;
    assemble(model.into(), Cut::Characters)
}

/// Unigram pieces by the library's expectation maximisation, in one thread over sorted words: its
/// sums are then always taken in the same order.
pub(super) fn unigram(config: &VocabularyConfig, documents: &Documents) -> Result<Pipeline, DataError> {
    let words = Segmenter::new(Cut::Words)?.count_words(documents, config.training_bytes);
    let sentences = unigram_sentences(&words);
    let trainer = UnigramTrainer::builder()
        .show_progress(false)
        .vocab_size((config.vocabulary - SPECIAL_TOKENS.len()) as u32)
        .build()
        .map_err(|error| library_error("train", error.into()))?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .map_err(|error| library_error("train", error.into()))?;
    let mut model = Unigram::default();
    pool.install(|| trainer.do_train(sentences, &mut model))
        .map_err(|error| library_error("train", error))?;
    assemble(in_our_order(&model)?.into(), Cut::Words)
}

/// Every byte is added as a word of its own. It then never falls below the threshold at which the
/// trainer drops a piece, so every text stays encodable, and the trainer has no missing characters
/// to restore, which it does in hash order.
fn unigram_sentences(words: &BTreeMap<String, u64>) -> Vec<(String, u32)> {
    let bytes = layout::byte_characters().map(|character| (character.to_string(), 1));
    let counted = words.iter().map(|(word, &count)| (word.clone(), u32::try_from(count).unwrap_or(u32::MAX)));
    bytes.into_iter().chain(counted).collect()
}

/// The trainer's pieces with bytes and special tokens first, the others by falling score and then
/// by spelling: among equal scores the trainer's own order is that of a hash set.
fn in_our_order(model: &Unigram) -> Result<Unigram, DataError> {
    let scores: BTreeMap<&str, f64> = model.iter().map(|(piece, score)| (piece.as_str(), *score)).collect();
    let base = layout::base_tokens();
    let mut pieces: Vec<(String, f64)> = base
        .iter()
        .map(|token| (token.clone(), scores.get(token.as_str()).copied().unwrap_or_default()))
        .collect();
    let mut learned: Vec<(String, f64)> = scores
        .into_iter()
        .filter(|(piece, _)| !base.iter().any(|token| token == piece))
        .map(|(piece, score)| (piece.to_owned(), score))
        .collect();
    learned.sort_by(|a, b| b.1.total_cmp(&a.1));
    pieces.extend(learned);
    Unigram::from(pieces, None, false).map_err(|error| library_error("train", error))
}

fn bpe_model(tokens: Vec<String>, merges: Vec<(String, String)>) -> Result<ModelWrapper, DataError> {
    let model = BPE::builder().vocab_and_merges(vocabulary(tokens), merges).build();
    model.map(ModelWrapper::from).map_err(|error| library_error("train", error))
}

fn vocabulary(tokens: Vec<String>) -> Vocab {
    tokens.into_iter().zip(0..).collect()
}

/// A model with the cutting rule before it, the decoder after it, and the special tokens.
fn assemble(model: ModelWrapper, cut: Cut) -> Result<Pipeline, DataError> {
    let failed = |error| library_error("train", error);
    let mut pipeline = Pipeline::new(model);
    pipeline.with_pre_tokenizer(Some(Segmenter::new(cut)?.pre_tokenizer()?));
    let bytes = DecoderWrapper::ByteLevel(ByteLevel::new(false, false, false));
    pipeline.with_decoder(Some(if cut == Cut::BoundedWords {
        let unmark = Replace::new(CONTINUATION, "").map_err(failed)?;
        DecoderWrapper::Sequence(Sequence::new(vec![unmark.into(), bytes]))
    } else {
        bytes
    }));
    let special = SPECIAL_TOKENS.map(|token| AddedToken::from(token, true));
    pipeline.add_special_tokens(special).map_err(failed)?;
    Ok(pipeline)
}
