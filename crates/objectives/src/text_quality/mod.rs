//! How good written texts are: how near to a reference, and how different from each other.

mod bleu;
mod diversity;
mod tokens;

pub use bleu::{Bleu, bleu, self_bleu};
pub use diversity::distinct;
pub use tokens::TextTokens;
