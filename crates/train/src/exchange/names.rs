//! Which tensor of a BERT-like file is which parameter.

use super::architecture::Family;

/// One tensor on both sides.
pub(super) struct Link {
    /// Name in the file, without the name of the encoder in front.
    pub theirs: String,
    /// Path of the parameter.
    pub ours: String,
    /// Whether the file has it `[out, in]` where the parameter is `[in, out]`.
    pub turned: bool,
}

/// What files of models with a head put in front of every name of the encoder.
pub(super) const PREFIXES: [&str; 4] = ["", "bert.", "roberta.", "distilbert."];

/// Parameter paths that are treated by themselves.
pub(super) const TOKENS: &str = "embedding.token";
pub(super) const TYPES: &str = "embedding.types";
pub(super) const POSITIONS: &str = "embedding.position.weight";
pub(super) const PROJECTION: &str = "projection.weight";

/// BERT's name of the token embedding, in all families.
pub(super) const THEIR_TOKENS: &str = "embeddings.word_embeddings.weight";
/// BERT's name of the token types.
pub(super) const THEIR_TYPES: &str = "embeddings.token_type_embeddings.weight";
/// BERT's name of the positions, in all families.
pub(super) const THEIR_POSITIONS: &str = "embeddings.position_embeddings.weight";

/// Linear maps of a layer: ours, BERT's, DistilBERT's.
const MAPS: [[&str; 3]; 6] = [
    ["mixer.query", "attention.self.query", "attention.q_lin"],
    ["mixer.key", "attention.self.key", "attention.k_lin"],
    ["mixer.value", "attention.self.value", "attention.v_lin"],
    ["mixer.output", "attention.output.dense", "attention.out_lin"],
    ["channel.mixer.up", "intermediate.dense", "ffn.lin1"],
    ["channel.mixer.down", "output.dense", "ffn.lin2"],
];

/// Norms of a layer, likewise.
const NORMS: [[&str; 3]; 2] = [
    ["residual.norm", "attention.output.LayerNorm", "sa_layer_norm"],
    ["channel.residual.norm", "output.LayerNorm", "output_layer_norm"],
];

/// All tensors but those of tokens, types and positions.
pub(super) fn links(family: Family, depth: usize) -> Vec<Link> {
    let (column, layers) = match family {
        Family::Bert | Family::Roberta => (1, "encoder.layer"),
        Family::DistilBert => (2, "transformer.layer"),
    };
    let mut links: Vec<Link> = both("embeddings.LayerNorm", "embedding.norm", NORM).into();
    for layer in 0..depth {
        let of = |names: &[&str; 3], parts| {
            let theirs = format!("{layers}.{layer}.{}", names[column]);
            both(&theirs, &format!("backbone.blocks.{layer}.{}", names[0]), parts)
        };
        links.extend(MAPS.iter().flat_map(|names| of(names, MAP)));
        links.extend(NORMS.iter().flat_map(|names| of(names, NORM)));
    }
    links
}

/// The two tensors of a linear map or a norm: their name, ours, and whether it is turned.
type Parts = [(&'static str, &'static str, bool); 2];
const MAP: Parts = [("weight", "weight", true), ("bias", "bias", false)];
const NORM: Parts = [("weight", "gain", false), ("bias", "bias", false)];

fn both(theirs: &str, ours: &str, parts: Parts) -> [Link; 2] {
    parts.map(|(their, our, turned)| Link {
        theirs: format!("{theirs}.{their}"),
        ours: format!("{ours}.{our}"),
        turned,
    })
}
