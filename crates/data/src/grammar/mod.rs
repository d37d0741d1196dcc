//! Sentences of a small grammar whose factors are known: a form, and words for its four places.
//!
//! What decides a sentence is one of 16 forms (statement, question, denial, wish …), one of 16 persons, of 16 actions, of 16 objects and
//! of 8 locations: 19 bits. All 524,288 sentences are different, and the same words occur in all forms, so that a model's latents can be
//! asked which of them carries what.

mod chinese;
mod english;

use mixlab_core::{Key, Purpose};
use serde::{Deserialize, Serialize};

/// The language of a grammar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrammarLanguage {
    /// English, in lower case.
    #[default]
    English,
    /// Chinese, in simplified characters.
    Chinese,
}

/// Words of an action, by the forms that ask for them.
#[derive(Clone, Copy, Debug)]
struct Action {
    /// As it is named: `find`.
    base: &'static str,
    /// `finds`.
    third: &'static str,
    /// `finding`.
    present: &'static str,
    /// `found`.
    past: &'static str,
}

/// Words and forms of a language. In a form `P`, `O` and `L` stand for person, object and location, and `V`, `S`, `G` and `D` for the
/// action's base, third person, present and past.
#[derive(Clone, Copy, Debug)]
struct Words {
    forms: [&'static str; 16],
    persons: [&'static str; 16],
    actions: [Action; 16],
    objects: [&'static str; 16],
    locations: [&'static str; 8],
}

/// A sentence with what decided it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GrammarSentence {
    /// The sentence.
    pub text: String,
    /// Number of its form.
    pub form: usize,
    /// Who.
    pub person: &'static str,
    /// Does what.
    pub action: &'static str,
    /// To what.
    pub object: &'static str,
    /// Where.
    pub location: &'static str,
}

/// All sentences of a language in an order given by a seed.
#[derive(Clone, Debug)]
pub struct Grammar {
    words: &'static Words,
    order: Vec<usize>,
}

/// Number of sentences.
const SENTENCES: usize = 16 * 16 * 16 * 16 * 8;

impl Grammar {
    /// The sentences of a language; the seed decides in which order they come.
    pub fn new(language: GrammarLanguage, seed: u64) -> Self {
        let words = match language {
            GrammarLanguage::English => &english::WORDS,
            GrammarLanguage::Chinese => &chinese::WORDS,
        };
        let order =
            Key::root(seed).purpose(Purpose::Synthetic).site("grammar").sample(0).permutation(SENTENCES);
        Grammar { words, order }
    }

    /// Number of sentences, all of which are different.
    pub fn count(&self) -> usize {
        SENTENCES
    }

    /// Bits that decide a sentence.
    pub fn bits(&self) -> f64 {
        (SENTENCES as f64).log2()
    }

    /// A sentence by its place in the order.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn sentence(&self, index: usize) -> GrammarSentence {
        let mut rest = self.order[index];
        let mut factor = |count: usize| {
            let value = rest % count;
            rest /= count;
            value
        };
        let Words { forms, persons, actions, objects, locations } = self.words;
        let (form, person, action, object) =
            (factor(16), persons[factor(16)], actions[factor(16)], objects[factor(16)]);
        let location = locations[factor(8)];
        let mut text = String::new();
        for letter in forms[form].chars() {
            match letter {
                'P' => text.push_str(person),
                'O' => text.push_str(object),
                'L' => text.push_str(location),
                'V' => text.push_str(action.base),
                'S' => text.push_str(action.third),
                'G' => text.push_str(action.present),
                'D' => text.push_str(action.past),
                other => text.push(other),
            }
        }
        GrammarSentence { text, form, person, action: action.base, object, location }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const LANGUAGES: [GrammarLanguage; 2] = [GrammarLanguage::English, GrammarLanguage::Chinese];

    #[test]
    fn all_sentences_are_different_and_short() {
        for language in LANGUAGES {
            let grammar = Grammar::new(language, 1);
            assert_eq!(grammar.bits(), 19.0);
            let texts: HashSet<String> =
                (0..grammar.count()).map(|index| grammar.sentence(index).text).collect();
            assert_eq!(texts.len(), grammar.count(), "{language:?}");
            let longest = texts.iter().map(|text| text.chars().count()).max().unwrap();
            assert!(
                longest <= if language == GrammarLanguage::English { 64 } else { 20 },
                "{language:?}: {longest}"
            );
            assert!(
                texts.iter().all(|text| !text.contains(|c: char| c.is_ascii_uppercase())),
                "{language:?}"
            );
        }
    }

    #[test]
    fn a_seed_is_an_order() {
        for language in LANGUAGES {
            let of = |seed| {
                let grammar = Grammar::new(language, seed);
                (0..50).map(|index| grammar.sentence(index)).collect::<Vec<_>>()
            };
            assert_eq!(of(3), of(3));
            assert_ne!(of(3), of(4));
            // Every factor is spread over its values.
            let forms: HashSet<usize> = of(3).iter().map(|sentence| sentence.form).collect();
            assert!(forms.len() > 10, "{forms:?}");
        }
    }

    #[test]
    fn a_sentence_shows_its_factors() {
        for language in LANGUAGES {
            let grammar = Grammar::new(language, 2);
            for index in 0..2000 {
                let GrammarSentence { text, person, object, location, .. } = grammar.sentence(index);
                for word in [person, object, location] {
                    assert!(text.contains(word), "{word} is not in {text}");
                }
            }
        }
        let passive = (0..)
            .map(|index| Grammar::new(GrammarLanguage::English, 1).sentence(index))
            .find(|s| s.form == 15);
        let sentence = passive.expect("one of 16");
        assert!(sentence.text.contains(&format!("by {}", sentence.person)), "{sentence:?}");
    }
}
