//! Sentences beside what comes back of them.

use burn::tensor::Tensor;
use mixlab_data::Enclosure;
use mixlab_objectives::text_quality::{TextTokens, bleu};
use serde::Serialize;

use super::{SentenceWriter, Writing, WrittenText, unheard};
use crate::TrainError;

/// How well sentences come back, each token the most probable one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Reconstruction {
    /// Share of sentences that come back exactly.
    pub exact: f64,
    /// Share of tokens, ends included, that come back at their place.
    pub tokens: f64,
    /// BLEU, 0 to 100; of characters where the script has no spaces.
    pub bleu: f64,
}

/// Sentences beside what came back of them.
#[derive(Default)]
pub(crate) struct Returned {
    originals: Vec<String>,
    texts: Vec<String>,
    exact: usize,
    right: usize,
    tokens: usize,
}

impl Returned {
    /// Writes the sentences of `rows` again from their latents.
    pub fn add(
        &mut self,
        writer: SentenceWriter<'_>,
        rows: &[Vec<u32>],
        latents: &[Tensor<2>],
    ) -> Result<(), TrainError> {
        let written = writer.write(latents, &Writing::greedy(), &mut unheard)?;
        for (row, WrittenText { text, tokens, ended, .. }) in rows.iter().zip(written) {
            let original = Enclosure::text(row);
            self.exact += usize::from(ended && tokens == original);
            self.right += original.iter().zip(&tokens).filter(|(a, b)| a == b).count();
            self.right += usize::from(ended && tokens.len() == original.len());
            self.tokens += row.len() - 1;
            self.originals.push(writer.tokenizer.decode(original));
            self.texts.push(text);
        }
        Ok(())
    }

    /// Sentences so far.
    pub fn count(&self) -> usize {
        self.texts.len()
    }

    /// Share of the sentences that came back exactly.
    pub fn exact(&self) -> f64 {
        self.exact as f64 / self.count().max(1) as f64
    }

    /// The sentences.
    pub fn originals(&self) -> &[String] {
        &self.originals
    }

    /// How well all of them came back.
    pub fn finish(&self) -> Reconstruction {
        let [texts, originals] = [&self.texts, &self.originals]
            .map(|texts| texts.iter().map(String::as_str).collect::<Vec<&str>>());
        let kind = TextTokens::suiting(originals.iter().copied());
        Reconstruction {
            exact: self.exact(),
            tokens: self.right as f64 / self.tokens.max(1) as f64,
            bleu: bleu(&texts, &originals, kind).score,
        }
    }
}
