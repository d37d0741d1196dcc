//! Which tokens begin a word, for masking whole words.

use tokenizers::ModelWrapper;

use super::Tokenizer;
use super::decode::Detokenizer;

/// What a character does to the word it stands next to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Letters and digits of scripts that write words together.
    Word,
    /// A character that is a word by itself: ideographs and kana, which are written without spaces.
    Alone,
    /// White space and signs.
    Other,
}

impl Tokenizer {
    /// For each token, whether it begins a new word.
    ///
    /// A token continues the word before it when it starts inside a character, or when a letter or
    /// digit follows a letter or digit. A leading space begins a word. Ideographs and kana each
    /// begin one. A special token begins one.
    pub fn word_starts(&self, ids: &[u32]) -> Vec<bool> {
        match &self.detokenizer {
            Detokenizer::Bytes(table) => self.starts_from_bytes(ids, table),
            Detokenizer::Library => ids.iter().map(|&id| self.starts_from_spelling(id)).collect(),
        }
    }

    fn starts_from_bytes(&self, ids: &[u32], table: &[Box<[u8]>]) -> Vec<bool> {
        let mut bytes = Vec::new();
        let begins: Vec<usize> = ids
            .iter()
            .map(|&id| {
                let begin = bytes.len();
                // A special token stands apart from its neighbours whatever its name is.
                let token: &[u8] = if self.is_special(id) {
                    b" "
                } else {
                    table.get(id as usize).map_or(b"", |token| token)
                };
                bytes.extend_from_slice(token);
                begin
            })
            .collect();
        let classes = classes(&bytes);
        begins.into_iter().map(|begin| starts_word(&classes, begin)).collect()
    }

    fn starts_from_spelling(&self, id: u32) -> bool {
        let token = self.pipeline.id_to_token(id).unwrap_or_default();
        match self.continuing_prefix() {
            Some(prefix) => !token.starts_with(prefix),
            None => self.is_special(id) || token.starts_with(['▁', 'Ġ', ' ']),
        }
    }
}

/// Whether a word begins at byte `begin`.
fn starts_word(classes: &[Option<Class>], begin: usize) -> bool {
    match classes.get(begin) {
        Some(None) => false,
        Some(Some(Class::Word)) => {
            classes[..begin].iter().rev().find_map(|class| *class) != Some(Class::Word)
        }
        _ => true,
    }
}

/// For each byte, the class of the character it begins; `None` inside a character. Bytes that are
/// not UTF-8 count as signs.
fn classes(bytes: &[u8]) -> Vec<Option<Class>> {
    let mut classes = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            classes.push(Some(class(character)));
            classes.resize(classes.len() + character.len_utf8() - 1, None);
        }
        classes.resize(classes.len() + chunk.invalid().len(), Some(Class::Other));
    }
    classes
}

fn class(character: char) -> Class {
    match character {
        // Kana, bopomofo, ideographs and their extensions.
        '\u{3040}'..='\u{312f}'
        | '\u{31a0}'..='\u{31ff}'
        | '\u{3400}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}' => Class::Alone,
        c if c.is_alphanumeric() => Class::Word,
        _ => Class::Other,
    }
}

impl Tokenizer {
    /// The mark of tokens inside a word, in tokenizers that are WordPiece.
    fn continuing_prefix(&self) -> Option<&str> {
        match self.pipeline.get_model() {
            ModelWrapper::WordPiece(model) => Some(&model.continuing_subword_prefix),
            _ => None,
        }
    }
}
