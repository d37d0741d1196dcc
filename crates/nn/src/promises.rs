//! What a mixer promises. Every promise is executed by a test, and by `mixlab audit` on user models.

use schemars::JsonSchema;
use serde::Serialize;

/// Properties a token mixer declares for one direction (causal or bidirectional).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Promises {
    /// A later token never changes an earlier output.
    pub causal: bool,
    /// Lengths other than the trained one are defined.
    pub any_length: bool,
    /// Padded keys never change the outputs of real positions.
    pub padding_safe: bool,
    /// A state exists with which token-by-token equals the full pass.
    pub streaming: bool,
    /// The outputs of a prefix do not change when the sequence is extended.
    pub prefix_consistent: bool,
    /// Permuting the tokens permutes the outputs.
    pub permutation_equivariant: bool,
}

impl Promises {
    /// Name and value of every promise, in declaration order.
    pub fn entries(&self) -> [(&'static str, bool); 6] {
        [
            ("causal", self.causal),
            ("any length", self.any_length),
            ("padding-safe", self.padding_safe),
            ("streaming", self.streaming),
            ("prefix-consistent", self.prefix_consistent),
            ("permutation-equivariant", self.permutation_equivariant),
        ]
    }
}
