//! From text to token ids and back.

mod config;
mod decode;
mod frame;
mod layout;
mod merges;
mod segmentation;
mod train;
mod words;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use rayon::prelude::*;
use tokenizers::{Model, Tokenizer as Pipeline};
use xxhash_rust::xxh3::xxh3_128;

pub use config::{TokenizerConfig, VocabularyConfig};
use decode::Detokenizer;
pub use decode::TextStream;
pub use frame::Frame;
pub use layout::{END_OF_TEXT, MASK, PADDING};
use segmentation::{Cut, Segmenter};

use crate::{DataError, Documents};

/// Names under which tokenizers from elsewhere know the three special tokens.
const END_OF_TEXT_NAMES: [&str; 7] =
    [END_OF_TEXT, "</s>", "<eos>", "[EOS]", "<|end_of_text|>", "[SEP]", "<s>"];
const PADDING_NAMES: [&str; 3] = [PADDING, "<pad>", "[PAD]"];
const MASK_NAMES: [&str; 3] = [MASK, "<mask>", "[MASK]"];

/// Units of about [`segmentation::CHUNK`] bytes that are tokenized before the ids are moved into the result.
const UNITS_PER_ROUND: usize = 64;

/// Texts, or pieces of them, with the index of their text: the work of one thread at a time.
type Unit<'t> = Vec<(usize, &'t str)>;

/// A vocabulary and the rules to apply it.
///
/// Special tokens never come out of text: text that spells `<|endoftext|>` is encoded letter by
/// letter.
#[derive(Clone)]
pub struct Tokenizer {
    pipeline: Pipeline,
    detokenizer: Detokenizer,
    /// `tokenizer.json`, byte for byte.
    json: String,
    vocabulary: usize,
    special: BTreeSet<u32>,
    end_of_text: u32,
    padding: u32,
    mask: Option<u32>,
    frame: Frame,
    /// Whether `json` says what stands around a text.
    frame_is_stated: bool,
    /// How the model spells bytes.
    characters: [char; 256],
    /// Ids are the bytes themselves.
    bytewise: bool,
    /// The cutting rule, when it is that of the tokenizers trained here: words can then be looked up
    /// one by one, and text may be cut for parallel work without any effect on the ids.
    segmenter: Option<Segmenter>,
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer")
            .field("vocabulary", &self.vocabulary)
            .field("fingerprint", &self.fingerprint())
            .finish_non_exhaustive()
    }
}

impl Tokenizer {
    /// Learns from `documents`, or loads what `config` names. The same text gives the same bytes of
    /// `tokenizer.json`, in every process and with any number of threads.
    ///
    /// # Errors
    /// A config out of range, or a `tokenizer.json` that cannot be used.
    pub fn train(config: &TokenizerConfig, documents: &Documents) -> Result<Self, DataError> {
        config.validate()?;
        let pipeline = match config {
            TokenizerConfig::Byte => train::byte()?,
            TokenizerConfig::Bpe(config) => train::bpe(config, documents)?,
            TokenizerConfig::Unigram(config) => train::unigram(config, documents)?,
            TokenizerConfig::Wordpiece(config) => train::wordpiece(config, documents)?,
            TokenizerConfig::Character(config) => train::character(config, documents)?,
            TokenizerConfig::File { path } => return Tokenizer::load(path),
        };
        let json = pipeline.to_string(true).map_err(|error| library_error("train", error))?;
        Tokenizer::new(pipeline, json).map_err(|reason| DataError::Tokenizer { action: "train", reason })
    }

    /// Reads a `tokenizer.json` of this program or of the Hugging Face tokenizers library.
    ///
    /// # Errors
    /// A file that is missing, malformed, or without a token for the end of a text.
    pub fn load(path: &Path) -> Result<Self, DataError> {
        let bad = |reason: String| DataError::BadTokenizer { path: path.to_owned(), reason };
        let json = std::fs::read(path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => DataError::Missing { path: path.to_owned() },
            _ => DataError::Io { action: "read", path: path.to_owned(), source },
        })?;
        let json = String::from_utf8(json).map_err(|error| bad(error.to_string()))?;
        Tokenizer::from_json(&json).map_err(bad)
    }

    /// The tokenizer that a `tokenizer.json` describes, or why it describes none.
    pub fn from_json(json: &str) -> Result<Self, String> {
        let pipeline = Pipeline::from_bytes(json).map_err(|error| error.to_string())?;
        Tokenizer::new(pipeline, json.to_owned())
    }

    fn new(mut pipeline: Pipeline, json: String) -> Result<Self, String> {
        // Rows are cut and padded here, whatever a file from elsewhere asks for.
        pipeline.with_padding(None);
        pipeline.with_truncation(None).map_err(|error| error.to_string())?;
        pipeline.set_encode_special_tokens(true);
        let find = |names: &[&str]| names.iter().find_map(|name| pipeline.token_to_id(name));
        let end_of_text = find(&END_OF_TEXT_NAMES)
            .ok_or_else(|| format!("it has none of the tokens {}", END_OF_TEXT_NAMES.join(" ")))?;
        let (padding, mask) = (find(&PADDING_NAMES).unwrap_or(end_of_text), find(&MASK_NAMES));
        let largest = pipeline.get_vocab(true).into_values().max().unwrap_or(0);
        let vocabulary = largest as usize + 1;
        let added = pipeline.get_added_tokens_decoder();
        let special = added.iter().filter(|(_, token)| token.special).map(|(&id, _)| id);
        let special = special.chain([end_of_text, padding]).chain(mask).collect();
        let detokenizer = Detokenizer::of(&pipeline, vocabulary);
        let segmenter = our_segmenter(&pipeline);
        let (frame, frame_is_stated) = Frame::of(&pipeline, end_of_text, padding)?;
        let bytewise = segmenter.is_some() && vocabulary == layout::BASE_TOKENS;
        Ok(Tokenizer {
            pipeline,
            detokenizer,
            json,
            vocabulary,
            special,
            end_of_text,
            padding,
            mask,
            frame,
            frame_is_stated,
            characters: layout::byte_characters(),
            bytewise,
            segmenter,
        })
    }

    /// Writes `tokenizer.json`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), DataError> {
        std::fs::write(path, &self.json).map_err(|source| DataError::Io {
            action: "write",
            path: path.to_owned(),
            source,
        })
    }

    /// The contents of `tokenizer.json`.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// A 128-bit hash of `tokenizer.json`, in hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        format!("{:032x}", xxh3_128(self.json.as_bytes()))
    }

    /// Number of rows an embedding needs: one more than the largest id.
    pub fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    /// The token before the first and between any two documents.
    pub fn end_of_text(&self) -> u32 {
        self.end_of_text
    }

    /// The token that fills rows; the end of text where a tokenizer from elsewhere has no own.
    pub fn padding(&self) -> u32 {
        self.padding
    }

    /// The token that hides others in masked language models.
    pub fn mask_token(&self) -> Option<u32> {
        self.mask
    }

    /// The contents of a `tokenizer.json` that says what stands around a text, for programs that go by it alone.
    pub fn framed_json(&self) -> String {
        let value = (!self.frame_is_stated).then(|| serde_json::from_str::<serde_json::Value>(&self.json));
        let Some(Ok(mut value)) = value else { return self.json.clone() };
        value["post_processor"] = self.frame.post_processor(|id| self.token(id));
        value.to_string()
    }

    /// The name of a token, if there is one of this id.
    pub fn token(&self, id: u32) -> Option<String> {
        self.pipeline.id_to_token(id)
    }

    /// The tokens around a text that a model reads by itself.
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Whether `id` is a special token, never the outcome of encoding.
    pub fn is_special(&self, id: u32) -> bool {
        self.special.contains(&id)
    }

    /// Whether decoding gives back every byte of every text. True of all tokenizers trained here.
    pub fn is_lossless(&self) -> bool {
        self.segmenter.is_some() && matches!(self.detokenizer, Detokenizer::Bytes(_))
    }

    /// How many characters of token ids are spelled in bytes by a tokenizer that has a token for each frequent character; 0 of the
    /// others, for which bytes are nothing special.
    pub fn spelled_characters(&self, ids: &[u32]) -> usize {
        let by_character =
            self.segmenter.as_ref().is_some_and(|segmenter| segmenter.cut() == Cut::Characters);
        // The first byte of a longer UTF-8 character.
        if by_character { ids.iter().filter(|&&id| (0xc2..=0xf4).contains(&id)).count() } else { 0 }
    }

    /// Token ids of a text, without special tokens.
    ///
    /// # Errors
    /// Only with a tokenizer from elsewhere that cannot encode every text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, DataError> {
        let mut ids = Vec::new();
        self.encode_all(&[text], |_, tokens| ids.extend_from_slice(tokens))?;
        Ok(ids)
    }

    /// Encodes many texts on all cores; hands out the ids piece by piece, in order, each with the
    /// index of its text.
    pub(crate) fn encode_all(
        &self,
        texts: &[&str],
        mut receive: impl FnMut(usize, &[u32]),
    ) -> Result<(), DataError> {
        let size = if self.segmenter.is_some() { segmentation::CHUNK } else { usize::MAX };
        let mut pieces = texts
            .iter()
            .enumerate()
            .flat_map(|(index, text)| segmentation::chunks(text, size).map(move |piece| (index, piece)));
        loop {
            let units: Vec<Unit> =
                std::iter::from_fn(|| next_unit(&mut pieces)).take(UNITS_PER_ROUND).collect();
            if units.is_empty() {
                return Ok(());
            }
            let encoded: Vec<Vec<Vec<u32>>> =
                units.par_iter().map(|unit| self.encode_unit(unit)).collect::<Result<_, _>>()?;
            for ((index, _), ids) in units.iter().flatten().zip(encoded.iter().flatten()) {
                receive(*index, ids);
            }
        }
    }

    /// Words are looked up once in a unit: most of a text is a few words over and over.
    fn encode_unit(&self, unit: &Unit) -> Result<Vec<Vec<u32>>, DataError> {
        let mut known = HashMap::new();
        unit.iter().map(|(_, piece)| self.encode_piece(piece, &mut known)).collect()
    }

    fn encode_piece<'t>(
        &self,
        text: &'t str,
        known: &mut HashMap<&'t str, Vec<u32>>,
    ) -> Result<Vec<u32>, DataError> {
        let Some(segmenter) = &self.segmenter else { return self.encode_with_library(text) };
        if self.bytewise {
            return Ok(text.bytes().map(u32::from).collect());
        }
        let mut ids = Vec::with_capacity(text.len() / 3);
        for word in segmenter.words(text) {
            match known.get(word) {
                Some(tokens) => ids.extend_from_slice(tokens),
                None => {
                    let tokens = self.encode_word(word)?;
                    ids.extend_from_slice(&tokens);
                    known.insert(word, tokens);
                }
            }
        }
        Ok(ids)
    }

    fn encode_word(&self, word: &str) -> Result<Vec<u32>, DataError> {
        let spelled: String = word.bytes().map(|byte| self.characters[byte as usize]).collect();
        let tokens = self.pipeline.get_model().tokenize(&spelled);
        let tokens = tokens.map_err(|error| library_error("encode", error))?;
        Ok(tokens.into_iter().map(|token| token.id).collect())
    }

    fn encode_with_library(&self, text: &str) -> Result<Vec<u32>, DataError> {
        let encoding =
            self.pipeline.encode_fast(text, false).map_err(|error| library_error("encode", error))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The text of token ids, special tokens by their names. Bytes that are not UTF-8 become U+FFFD;
    /// ids out of range are skipped.
    pub fn decode(&self, ids: &[u32]) -> String {
        match &self.detokenizer {
            Detokenizer::Bytes(table) => {
                let tokens = ids.iter().filter_map(|&id| table.get(id as usize));
                let bytes: Vec<u8> = tokens.flat_map(|token| token.iter().copied()).collect();
                String::from_utf8(bytes)
                    .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
            }
            Detokenizer::Library => self.pipeline.decode(ids, false).unwrap_or_default(),
        }
    }

    /// A decoder for tokens that arrive one after another.
    pub fn stream(&self) -> TextStream<'_> {
        TextStream::new(self)
    }
}

fn next_unit<'t>(pieces: &mut impl Iterator<Item = (usize, &'t str)>) -> Option<Unit<'t>> {
    let (mut unit, mut bytes) = (Vec::new(), 0);
    while bytes < segmentation::CHUNK
        && let Some(piece) = pieces.next()
    {
        bytes += piece.1.len();
        unit.push(piece);
    }
    (!unit.is_empty()).then_some(unit)
}

/// The cutting rule of the tokenizers trained here, if it is the one in use and nothing is normalised
/// before it.
fn our_segmenter(pipeline: &Pipeline) -> Option<Segmenter> {
    if pipeline.get_normalizer().is_some() {
        return None;
    }
    let theirs = serde_json::to_value(pipeline.get_pre_tokenizer()?).ok()?;
    let same = |segmenter: &Segmenter| {
        let ours = segmenter.pre_tokenizer().ok().and_then(|rule| serde_json::to_value(rule).ok());
        ours.as_ref() == Some(&theirs)
    };
    Cut::ALL.into_iter().filter_map(|cut| Segmenter::new(cut).ok()).find(same)
}

fn library_error(action: &'static str, error: tokenizers::Error) -> DataError {
    DataError::Tokenizer { action, reason: error.to_string() }
}
