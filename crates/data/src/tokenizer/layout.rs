//! The order of tokens in every vocabulary this crate makes.
//!
//! Ids 0–255 are the bytes themselves, 256–258 the special tokens, then come learned pieces. In a
//! `tokenizer.json` a byte is written as one printable character, by the table that GPT-2
//! introduced and the Hugging Face library calls `ByteLevel`.

/// Stands before the first and between any two documents.
pub const END_OF_TEXT: &str = "<|endoftext|>";
/// Fills rows that a document does not.
pub const PADDING: &str = "<|pad|>";
/// Takes the place of a hidden token in masked language models.
pub const MASK: &str = "<|mask|>";

/// Special tokens in the order of their ids, from 256.
pub(super) const SPECIAL_TOKENS: [&str; 3] = [END_OF_TEXT, PADDING, MASK];
/// Bytes and special tokens.
pub(super) const BASE_TOKENS: usize = 256 + SPECIAL_TOKENS.len();
/// WordPiece has every byte a second time, as the continuation of a word.
pub(super) const WORDPIECE_BASE_TOKENS: usize = BASE_TOKENS + 256;
/// Marks a WordPiece token that continues a word. The usual `##` would be ambiguous here, since
/// `#` is a byte like any other; U+203F stands for no byte.
pub(super) const CONTINUATION: &str = "\u{203f}";

/// Bytes that stand for themselves; the others take the characters from U+0100 on, in order.
fn is_printable(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff)
}

/// The character of every byte.
pub(super) fn byte_characters() -> [char; 256] {
    let mut next = 0x100u32;
    std::array::from_fn(|byte| {
        let byte = byte as u8;
        if is_printable(byte) {
            return char::from(byte);
        }
        next += 1;
        char::from_u32(next - 1).unwrap_or_default()
    })
}

/// The byte of a character, if it stands for one.
pub(super) fn character_byte(character: char, table: &[char; 256]) -> Option<u8> {
    match u8::try_from(u32::from(character)) {
        Ok(byte) => is_printable(byte).then_some(byte),
        Err(_) => table.iter().position(|&c| c == character).map(|byte| byte as u8),
    }
}

/// The bytes and special tokens, in the order of their ids.
pub(super) fn base_tokens() -> Vec<String> {
    let bytes = byte_characters().into_iter().map(String::from);
    bytes.chain(SPECIAL_TOKENS.map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use tokenizers::pre_tokenizers::byte_level::ByteLevel;

    #[test]
    fn the_table_is_the_librarys() {
        let ours: BTreeSet<char> = byte_characters().into_iter().collect();
        assert_eq!(ours, ByteLevel::alphabet().into_iter().collect());
        assert_eq!((byte_characters()[b' ' as usize], byte_characters()[b'\n' as usize]), ('Ġ', 'Ċ'));
    }

    #[test]
    fn the_table_can_be_inverted() {
        let table = byte_characters();
        for byte in 0..=255u8 {
            assert_eq!(character_byte(table[byte as usize], &table), Some(byte));
        }
        assert_eq!(character_byte('\u{203f}', &table), None);
        assert_eq!(character_byte(' ', &table), None);
    }
}
