//! The sentences of a run.

use std::path::Path;

use mixlab_data::{
    DocumentSeparator, Enclosure, SentenceBatch, SentenceEvaluation, SentenceNotes, SentenceTraining,
    Tokenizer, load,
};

use crate::observer::Observer;
use crate::prepare::keep_tokenizer;
use crate::{Config, TrainError};

/// Batches that tell how long batches are.
const TYPICAL: u64 = 16;

/// Sentences to train on and to measure on, ready for batches.
pub(crate) struct TextVaeData {
    pub tokenizer: Tokenizer,
    pub enclosure: Enclosure,
    pub train: SentenceTraining,
    pub evaluation: Option<SentenceEvaluation>,
}

/// What batches of sentences are like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TypicalSentences {
    /// Positions of a row, padding included.
    pub length: usize,
    /// Positions of the longest batch over those of a typical one.
    pub longest: f64,
    /// The share of positions that is not padding.
    pub real: f64,
}

impl TextVaeData {
    /// Reads the data of a run; its tokenizer is kept in the run folder.
    pub fn new(config: &Config, run: Option<&Path>, observer: &mut dyn Observer) -> Result<Self, TrainError> {
        observer.phase("reading the data");
        let text = load(&config.data)?;
        let tokenizer = keep_tokenizer(config, run, &text.train, observer)?;
        observer.phase("tokenizing");
        let (length, batch) = (config.train.length, (config.train.batch, config.train.accumulation));
        let evaluation = match text.evaluate.is_empty() {
            true => None,
            false => {
                Some(SentenceEvaluation::new(&text.evaluate, &tokenizer, length, config.evaluate.batch)?)
            }
        };
        let train = SentenceTraining::new(&text.train, &tokenizer, length, batch, config.run.seed)?;
        for note in describe_notes(train.notes(), train.sentences(), length) {
            observer.notice(&note);
        }
        let whole_files = config.data.document_separator == DocumentSeparator::File;
        if whole_files && train.sentences() <= config.data.train.len() {
            observer.notice(
                "every file is one sentence: set `data.document_separator = \"line\"` if every line is one",
            );
        }
        Ok(TextVaeData { enclosure: Enclosure::of(&tokenizer), tokenizer, train, evaluation })
    }

    /// What the first batches are like on average.
    pub fn typical(&self) -> TypicalSentences {
        let batches: Vec<SentenceBatch> = (0..TYPICAL).map(|step| self.train.batch(step, 0)).collect();
        let sum = |of: &dyn Fn(&SentenceBatch) -> usize| batches.iter().map(of).sum::<usize>().max(1);
        let lengths = sum(&SentenceBatch::longest);
        let most = batches.iter().map(SentenceBatch::longest).max().unwrap_or(0);
        TypicalSentences {
            length: lengths.div_ceil(batches.len()),
            longest: (most * batches.len()) as f64 / lengths as f64,
            real: sum(&SentenceBatch::positions) as f64
                / sum(&|batch| batch.rows.len() * batch.longest()) as f64,
        }
    }
}

/// What became of `count` sentences on their way into rows of `length` tokens, in words; nothing of what did not happen.
pub fn describe_notes(notes: SentenceNotes, count: usize, length: usize) -> Vec<String> {
    let SentenceNotes { cut_at_punctuation, cut_at_character, spelled_characters, changed } = notes;
    let cut = cut_at_punctuation + cut_at_character;
    let mut said = Vec::new();
    if cut > 0 {
        said.push(format!(
            "{cut} of {count} sentences are longer than {length} tokens with those around them and are cut, {cut_at_punctuation} behind \
             punctuation and {cut_at_character} between characters"
        ));
    }
    if spelled_characters > 0 {
        said.push(format!(
            "characters that are not in the vocabulary are spelled in bytes: {spelled_characters} in {count} sentences"
        ));
    }
    if changed > 0 {
        said.push(format!(
            "the tokenizer does not give {changed} of {count} sentences back as they are: it leaves out or changes characters"
        ));
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_happened_is_told() {
        assert!(describe_notes(SentenceNotes::default(), 5, 8).is_empty());
        let notes =
            SentenceNotes { cut_at_punctuation: 2, cut_at_character: 1, spelled_characters: 4, changed: 0 };
        let said = describe_notes(notes, 5, 8);
        assert!(said.len() == 2 && said[0].starts_with("3 of 5 sentences") && said[1].contains("4 in 5"));
    }
}
