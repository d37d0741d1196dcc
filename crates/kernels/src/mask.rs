//! Which keys exist and which document each belongs to.

use std::sync::Arc;

/// Key padding and document segments of a batch of sequences. The causal flag is a separate option
/// of each operation: the three are never merged into one mask.
#[derive(Clone, Debug, Default)]
pub struct Mask {
    /// `[batch · keys]`, true where the key is a real token.
    pub padding: Option<Arc<[bool]>>,
    /// `[batch · keys]`, an id per document; the tokens of a document are contiguous. Tokens of
    /// different documents never see each other.
    pub segments: Option<Arc<[u32]>>,
}
