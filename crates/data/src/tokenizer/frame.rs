//! The tokens around a text, for models that read one text at a time.

use serde_json::{Value, json};
use tokenizers::Tokenizer as Pipeline;

/// What stands before and behind the tokens of a text, and what fills the rest of its row.
///
/// Tokenizers trained here put the end-of-text token in front and nothing behind. Those from elsewhere say themselves what they
/// add, by the post-processor of their `tokenizer.json`: BERT's has `[CLS]` in front and `[SEP]` behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Tokens in front.
    pub prefix: Vec<u32>,
    /// Tokens behind.
    pub suffix: Vec<u32>,
    /// What fills a row.
    pub padding: u32,
}

/// A text of one token in most vocabularies, of a few in the others.
const PROBE: &str = "a";

impl Frame {
    /// As the pipeline's post-processor frames a text, or where it adds nothing, `begin` alone; and whether the post-processor does.
    pub(super) fn of(pipeline: &Pipeline, begin: u32, padding: u32) -> Result<(Self, bool), String> {
        let ids = |framed: bool| -> Result<Vec<u32>, String> {
            let encoding = pipeline.encode_fast(PROBE, framed).map_err(|error| error.to_string())?;
            Ok(encoding.get_ids().to_vec())
        };
        let (bare, framed) = (ids(false)?, ids(true)?);
        let at =
            if bare.is_empty() { None } else { framed.windows(bare.len()).position(|part| part == bare) };
        match at {
            Some(at) if framed.len() > bare.len() => {
                let suffix = framed[at + bare.len()..].to_vec();
                Ok((Frame { prefix: framed[..at].to_vec(), suffix, padding }, true))
            }
            _ => Ok((Frame { prefix: vec![begin], suffix: Vec::new(), padding }, false)),
        }
    }

    /// A post-processor that frames texts so, in the format of the Hugging Face library. `name` gives the names of tokens.
    pub(super) fn post_processor(&self, name: impl Fn(u32) -> Option<String>) -> Value {
        let named = |ids: &[u32]| ids.iter().filter_map(|&id| Some((id, name(id)?))).collect::<Vec<_>>();
        let (prefix, suffix) = (named(&self.prefix), named(&self.suffix));
        let special = |(_, name): &(u32, String)| json!({"SpecialToken": {"id": name, "type_id": 0}});
        let around = |texts: &[&str]| {
            let texts = texts.iter().map(|text| json!({"Sequence": {"id": text, "type_id": 0}}));
            let all = prefix.iter().map(special).chain(texts).chain(suffix.iter().map(special));
            all.collect::<Value>()
        };
        let entry =
            |(id, name): &(u32, String)| (name.clone(), json!({"id": name, "ids": [id], "tokens": [name]}));
        let special_tokens: serde_json::Map<String, Value> =
            prefix.iter().chain(&suffix).map(entry).collect();
        json!({
            "type": "TemplateProcessing", "single": around(&["A"]), "pair": around(&["A", "B"]),
            "special_tokens": special_tokens,
        })
    }

    /// Number of tokens around a text.
    pub fn tokens(&self) -> usize {
        self.prefix.len() + self.suffix.len()
    }

    /// Tokens of a row with a text of `tokens` tokens.
    pub fn row(&self, tokens: usize) -> usize {
        self.tokens() + tokens
    }

    /// Adds a row of `length` tokens to `row`: the frame with as much of the text as fits, then padding. Returns how many are real.
    ///
    /// # Panics
    /// If the frame alone is longer than the row.
    pub fn write(&self, text: &[u32], length: usize, row: &mut Vec<u32>) -> usize {
        let text = &text[..text.len().min(length - self.tokens())];
        let real = self.row(text.len());
        row.extend_from_slice(&self.prefix);
        row.extend_from_slice(text);
        row.extend_from_slice(&self.suffix);
        row.extend(std::iter::repeat_n(self.padding, length - real));
        real
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tokenizer;

    /// A vocabulary of words, framed as BERT frames texts unless `template` is `null`.
    fn tokenizer(template: serde_json::Value) -> Tokenizer {
        let special = |id: u32, content: &str| {
            serde_json::json!({
                "id": id, "content": content, "special": true, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false
            })
        };
        let json = serde_json::json!({
            "version": "1.0",
            "added_tokens": [special(0, "[PAD]"), special(1, "[CLS]"), special(2, "[SEP]")],
            "pre_tokenizer": {"type": "Whitespace"},
            "post_processor": template,
            "model": {
                "type": "WordLevel", "unk_token": "[PAD]",
                "vocab": {"[PAD]": 0, "[CLS]": 1, "[SEP]": 2, "a": 3, "b": 4}
            }
        });
        Tokenizer::from_json(&json.to_string()).unwrap()
    }

    fn bert() -> serde_json::Value {
        let (token, text) = (
            |id: &str| serde_json::json!({"SpecialToken": {"id": id, "type_id": 0}}),
            |id: &str| serde_json::json!({"Sequence": {"id": id, "type_id": 0}}),
        );
        let entry = |id: &str, number: u32| serde_json::json!({"id": id, "ids": [number], "tokens": [id]});
        serde_json::json!({
            "type": "TemplateProcessing",
            "single": [token("[CLS]"), text("A"), token("[SEP]")],
            "pair": [token("[CLS]"), text("A"), token("[SEP]"), text("B"), token("[SEP]")],
            "special_tokens": {"[CLS]": entry("[CLS]", 1), "[SEP]": entry("[SEP]", 2)}
        })
    }

    #[test]
    fn a_tokenizer_from_elsewhere_frames_texts_as_it_says() {
        let tokenizer = tokenizer(bert());
        let frame = tokenizer.frame();
        assert_eq!(*frame, Frame { prefix: vec![1], suffix: vec![2], padding: 0 });
        let mut rows = Vec::new();
        let real = [vec![3, 4], vec![3], vec![4, 3, 4]].map(|text| frame.write(&text, 4, &mut rows));
        // What is too long loses its end, not its frame.
        assert_eq!((rows, real), (vec![1, 3, 4, 2, 1, 3, 2, 0, 1, 4, 3, 2], [4, 3, 4]));
        assert_eq!(tokenizer.encode("a b").unwrap(), [3, 4], "the frame is no part of a text");
    }

    #[test]
    fn without_a_rule_the_end_of_text_stands_in_front() {
        let tokenizer = tokenizer(serde_json::Value::Null);
        assert_eq!(*tokenizer.frame(), Frame { prefix: vec![2], suffix: vec![], padding: 0 });
        // Written down for others, it is read as it was meant.
        let stated = tokenizer.framed_json();
        assert_ne!(stated, tokenizer.json());
        let again = Tokenizer::from_json(&stated).unwrap();
        assert_eq!((again.frame(), again.framed_json()), (tokenizer.frame(), stated));
    }
}
