//! From token ids back to text, at once or as they come.

use std::sync::Arc;

use tokenizers::decoders::DecoderWrapper;
use tokenizers::{Decoder, Tokenizer as Pipeline};

use super::Tokenizer;
use super::layout;

/// How ids become text.
#[derive(Clone)]
pub(super) enum Detokenizer {
    /// Every token stands for fixed bytes; the table is indexed by id.
    Bytes(Arc<[Box<[u8]>]>),
    /// The library's own decoder, for tokenizers from elsewhere.
    Library,
}

impl Detokenizer {
    /// Finds out whether a tokenizer maps ids to bytes one by one.
    pub(super) fn of(pipeline: &Pipeline, vocabulary: usize) -> Self {
        let continuation = match pipeline.get_decoder() {
            Some(DecoderWrapper::ByteLevel(_)) => "",
            Some(DecoderWrapper::Sequence(steps)) if is_unmark_and_bytes(steps.get_decoders()) => {
                layout::CONTINUATION
            }
            _ => return Detokenizer::Library,
        };
        let (table, added) = (layout::byte_characters(), pipeline.get_added_tokens_decoder());
        let bytes = |id: u32| -> Option<Box<[u8]>> {
            if let Some(token) = added.get(&id) {
                return Some(token.content.as_bytes().into());
            }
            // An id nobody has used decodes to nothing.
            let token = pipeline.id_to_token(id).unwrap_or_default();
            let token = token.strip_prefix(continuation).unwrap_or(&token);
            token.chars().map(|character| layout::character_byte(character, &table)).collect()
        };
        match (0..vocabulary as u32).map(bytes).collect::<Option<Vec<_>>>() {
            Some(all) => Detokenizer::Bytes(all.into()),
            None => Detokenizer::Library,
        }
    }
}

fn is_unmark_and_bytes(steps: &[DecoderWrapper]) -> bool {
    match steps {
        [DecoderWrapper::Replace(unmark), DecoderWrapper::ByteLevel(_)] => {
            let marked = vec![format!("{0}a", layout::CONTINUATION)];
            unmark.decode_chain(marked).is_ok_and(|out| out.concat() == "a")
        }
        _ => false,
    }
}

/// Text of tokens that arrive one after another.
///
/// A token can end inside a character; its bytes are then held back until the rest has come. All that
/// was returned by [`TextStream::push`] and [`TextStream::finish`] together equals
/// [`Tokenizer::decode`] of all ids.
pub struct TextStream<'t> {
    tokenizer: &'t Tokenizer,
    /// Bytes of an unfinished character.
    held: Vec<u8>,
    /// For the library's decoder, which can look back: all ids, and how much text was given out.
    ids: Vec<u32>,
    given: usize,
}

impl<'t> TextStream<'t> {
    pub(super) fn new(tokenizer: &'t Tokenizer) -> Self {
        TextStream { tokenizer, held: Vec::new(), ids: Vec::new(), given: 0 }
    }

    /// The text that is certain once `id` has come; often the token's own, sometimes empty.
    pub fn push(&mut self, id: u32) -> String {
        match &self.tokenizer.detokenizer {
            Detokenizer::Bytes(table) => {
                if let Some(bytes) = table.get(id as usize) {
                    self.held.extend_from_slice(bytes);
                }
                self.take_complete()
            }
            Detokenizer::Library => {
                self.ids.push(id);
                let text = self.tokenizer.decode(&self.ids);
                // The library writes U+FFFD for a character that is not complete yet.
                self.take_from(text.trim_end_matches('\u{fffd}'))
            }
        }
    }

    /// What was held back: one U+FFFD where a character was never finished.
    pub fn finish(mut self) -> String {
        match &self.tokenizer.detokenizer {
            Detokenizer::Bytes(_) => String::from_utf8_lossy(&self.held).into_owned(),
            Detokenizer::Library => {
                let text = self.tokenizer.decode(&self.ids);
                self.take_from(&text)
            }
        }
    }

    /// Decodes all but an unfinished character at the end, as [`String::from_utf8_lossy`] would.
    fn take_complete(&mut self) -> String {
        let mut text = String::new();
        loop {
            match std::str::from_utf8(&self.held) {
                Ok(valid) => {
                    text.push_str(valid);
                    self.held.clear();
                    return text;
                }
                Err(error) => {
                    let valid = error.valid_up_to();
                    text.push_str(&String::from_utf8_lossy(&self.held[..valid]));
                    let Some(bad) = error.error_len() else {
                        self.held.drain(..valid);
                        return text;
                    };
                    text.push(char::REPLACEMENT_CHARACTER);
                    self.held.drain(..valid + bad);
                }
            }
        }
    }

    fn take_from(&mut self, text: &str) -> String {
        let new = text.get(self.given..).unwrap_or_default().to_owned();
        self.given = self.given.max(text.len());
        new
    }
}
