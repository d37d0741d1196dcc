//! The loop that lets a model speak, token by token, whatever the model.

use std::ops::ControlFlow;

use mixlab_core::{Key, Purpose};
use mixlab_data::{Tokenizer, sentinel_text};

use super::stop::StopTexts;
use super::{Ended, GenerateOptions, Generated};
use crate::TrainError;

/// A model in the middle of a text.
pub(super) trait Speaker {
    /// Logits after the last token of `history`, of which earlier calls have seen a prefix.
    fn logits(&mut self, history: &[u32]) -> Result<Vec<f64>, TrainError>;
}

/// Goes on from `history` and hands out the text as soon as it is certain: whole characters, and nothing that may turn
/// out to begin a stop text. Token i is drawn with element i of a stream that the seed alone decides. Tokens after the
/// vocabulary are sentinels, which are written if `sentinels` is set.
pub(super) fn speak(
    speaker: &mut dyn Speaker,
    tokenizer: &Tokenizer,
    mut history: Vec<u32>,
    options: &GenerateOptions,
    sentinels: bool,
    receive: &mut dyn FnMut(&str) -> ControlFlow<()>,
) -> Result<Generated, TrainError> {
    let draws = Key::root(options.seed).purpose(Purpose::Sample).sample(0);
    let mut text = tokenizer.stream();
    let mut stops = StopTexts::new(&options.stop);
    let mut generated = Generated { tokens: 0, prompt_tokens: history.len(), ended: Ended::Limit };
    while generated.tokens < options.tokens {
        let mut logits = speaker.logits(&history)?;
        silence(tokenizer, sentinels, &mut logits);
        let token = options.sampling.draw(&logits, draws.uniform(generated.tokens as u64));
        generated.tokens += 1;
        if token == tokenizer.end_of_text() {
            generated.ended = Ended::EndOfText;
            break;
        }
        history.push(token);
        let piece = match (token as usize).checked_sub(tokenizer.vocabulary()) {
            Some(sentinel) => {
                std::mem::replace(&mut text, tokenizer.stream()).finish() + &sentinel_text(sentinel)
            }
            None => text.push(token),
        };
        let (certain, stopped) = stops.push(&piece);
        if !certain.is_empty() && receive(&certain).is_break() {
            generated.ended = Ended::Receiver;
            return Ok(generated);
        }
        if stopped {
            generated.ended = Ended::Stop;
            return Ok(generated);
        }
    }
    let (mut certain, stopped) = stops.push(&text.finish());
    if stopped {
        generated.ended = Ended::Stop;
    } else {
        certain += &stops.finish();
    }
    if !certain.is_empty() && receive(&certain).is_break() {
        generated.ended = Ended::Receiver;
    }
    Ok(generated)
}

/// Tokens that are never drawn, however likely an untrained model finds them: padding and mask stand for no text, and
/// sentinels have a meaning only where spans are hidden.
pub(crate) fn placeholders(tokenizer: &Tokenizer, vocabulary: usize, sentinels: bool) -> Vec<u32> {
    let beyond = if sentinels { vocabulary } else { tokenizer.vocabulary() }..vocabulary;
    let named = [Some(tokenizer.padding()), tokenizer.mask_token()].into_iter().flatten();
    named.chain(beyond.map(|id| id as u32)).collect()
}

fn silence(tokenizer: &Tokenizer, sentinels: bool, logits: &mut [f64]) {
    for token in placeholders(tokenizer, logits.len(), sentinels) {
        logits[token as usize] = f64::NEG_INFINITY;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SamplingConfig;
    use mixlab_data::{Documents, TokenizerConfig};

    #[test]
    fn placeholders_are_never_drawn() {
        let tokenizer = Tokenizer::train(&TokenizerConfig::Byte, &Documents::default()).unwrap();
        let vocabulary = tokenizer.vocabulary() + 2;
        let mut logits = vec![0.0; vocabulary];
        let sentinels = [vocabulary - 2, vocabulary - 1].map(|id| id as u32);
        let places = [tokenizer.padding(), tokenizer.mask_token().unwrap(), sentinels[0], sentinels[1]];
        for token in places {
            logits[token as usize] = 50.0;
        }
        let sampling = SamplingConfig { temperature: 1.0, top_k: 0, top_p: 1.0 };
        let drawn = |logits: &[f64]| -> Vec<u32> {
            (0..2000).map(|i| sampling.draw(logits, f64::from(i) / 2000.0)).collect()
        };
        let mut silenced = logits.clone();
        silence(&tokenizer, false, &mut silenced);
        assert!(drawn(&silenced).iter().all(|token| !places.contains(token)));
        silence(&tokenizer, true, &mut logits);
        assert!(drawn(&logits).iter().all(|token| sentinels.contains(token)));
    }
}
