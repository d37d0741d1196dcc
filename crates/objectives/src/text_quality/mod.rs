//! How good written texts are: how near to a reference, and how different from each other.

mod bleu;
mod diversity;
mod tokens;

pub use bleu::{Bleu, bleu, self_bleu};
pub use diversity::distinct;
pub use tokens::TextTokens;

use std::collections::HashMap;

/// How often every run of `n` tokens occurs.
fn counts<'a>(tokens: &'a [&'a str], n: usize) -> HashMap<&'a [&'a str], usize> {
    let mut counts = HashMap::new();
    for run in tokens.windows(n) {
        *counts.entry(run).or_insert(0) += 1;
    }
    counts
}
