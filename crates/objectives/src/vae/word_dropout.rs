//! Tokens that the encoder is not shown in training.
//!
//! Where two tokens of a text tell the same, an encoder may listen to one of them alone, and never learn what the other tells besides: from
//! *at* it knows most of *at the station* and *at the market*. Without the one it has to listen to the other. The decoder is asked for every
//! token all the same. Source: Shen et al., "Educating text autoencoders: latent representation guidance via denoising", ICML 2020, section 3;
//! there tokens are taken out of the text, here no other token sees them.

use mixlab_core::Key;

use super::TextVaeBatch;

impl TextVaeBatch {
    /// The same batch with every token hidden from the encoder with probability `rate`, but for those that begin and end a text. Which ones
    /// is a function of the key, the id of the text and the place.
    #[must_use]
    pub fn with_word_dropout(mut self, rate: f64, key: Key) -> Self {
        if rate == 0.0 {
            return self;
        }
        let (key, length) = (key.site("words"), self.text().dims()[1]);
        let mut shown = Vec::with_capacity(self.lengths().len() * length);
        for (&real, &sample) in self.lengths().iter().zip(self.context().samples.iter()) {
            let stream = key.sample(sample);
            shown.extend((0..length).map(|place| {
                let inner = place > 0 && place + 1 < real;
                place < real && !(inner && stream.uniform(place as u64) < rate)
            }));
        }
        self.hide(shown);
        self
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use mixlab_core::{Key, Precision};
    use mixlab_nn::Context;

    use super::super::{Filling, TextVaeBatch};

    fn shown(rows: &[&[u32]], samples: &[u64], rate: f64) -> Vec<Vec<bool>> {
        let context = Context { samples: samples.into(), ..Context::evaluation(rows.len(), false) };
        let filling = Filling { padding: 0, length: None };
        let batch = TextVaeBatch::new(rows, filling, &context, 1.0, &Device::flex(), Precision::F64);
        let length = batch.text().dims()[1];
        let batch = batch.with_word_dropout(rate, Key::root(3));
        let padding = batch.context().mask.padding.clone().expect("a mask");
        padding.chunks(length).map(<[bool]>::to_vec).collect()
    }

    /// As many as asked for, none of those around a text, and padding stays what it is.
    #[test]
    fn a_share_of_the_inner_tokens_is_hidden() {
        let long: Vec<u32> = vec![5; 402];
        let rows: Vec<&[u32]> = vec![&long, &long[..202], &long];
        let found = shown(&rows, &[1, 2, 3], 0.3);
        for (row, shown) in rows.iter().zip(&found) {
            assert!(shown[0] && shown[row.len() - 1] && !shown[row.len()..].contains(&true));
            let hidden = shown[..row.len()].iter().filter(|&&shown| !shown).count();
            let share = hidden as f64 / (row.len() - 2) as f64;
            assert!((share - 0.3).abs() < 0.1, "{share}");
        }
        assert_ne!(found[0], found[2], "texts hide different places");
    }

    /// A text hides the same places whatever stands beside it.
    #[test]
    fn what_is_hidden_is_the_texts_own() {
        let (long, short): (Vec<u32>, Vec<u32>) = (vec![5; 40], vec![6; 30]);
        let together = shown(&[&long, &short], &[7, 8], 0.5);
        let alone = shown(&[&short], &[8], 0.5);
        assert_eq!(together[1][..30], alone[0][..]);
    }
}
