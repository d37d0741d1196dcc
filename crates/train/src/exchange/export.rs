//! An embedding model as a folder of the sentence-transformers library.

use std::path::Path;

use burn::tensor::Tensor;
use mixlab_nn::{ModelError, parameter_values};

use super::architecture::{Bert, Family};
use super::import::turned;
use super::names::{self, POSITIONS, PROJECTION, THEIR_POSITIONS, THEIR_TOKENS, THEIR_TYPES, TOKENS, TYPES};
use super::pipeline::{self, DENSE, write_json};
use crate::model_folder::{CONFIG, TOKENIZER, WEIGHTS};
use crate::storage::StagedFolder;
use crate::tensor_file::{NamedTensor, encode};
use crate::{EmbedderFolder, TrainError};

/// Writes `folder` to `out` as sentence-transformers reads it: the encoder as a BERT, and what follows it.
///
/// # Errors
/// [`ModelError::Unsupported`] of a model that is not built like BERT, [`TrainError::FolderInUse`] if there is something at `out`,
/// [`TrainError::Write`].
pub fn export_embedder(folder: &EmbedderFolder, out: &Path) -> Result<(), TrainError> {
    if out.exists() {
        return Err(TrainError::FolderInUse { path: out.to_owned(), what: "something" });
    }
    let config = &folder.config;
    let (tokenizer, length) = folder.texts()?;
    let vocabulary = tokenizer.vocabulary();
    let bert = Bert::of(&config.model, vocabulary, tokenizer.padding()).map_err(not_like_bert)?;
    pipeline::check(config.model.embedder.pooling).map_err(not_like_bert)?;
    let mut target = StagedFolder::new(out)?;
    let (encoder, dense) = tensors(folder, vocabulary);
    target.write(WEIGHTS, &encode(encoder, &target.path().join(WEIGHTS))?)?;
    write_json(&mut target, CONFIG, &bert)?;
    target.write(TOKENIZER, tokenizer.framed_json().as_bytes())?;
    let about = serde_json::json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": length,
        "pad_token": tokenizer.token(tokenizer.padding()),
    });
    write_json(&mut target, "tokenizer_config.json", &about)?;
    pipeline::write(&mut target, &config.model, length)?;
    if let Some(dense) = dense {
        let name = format!("{DENSE}/{WEIGHTS}");
        target.write(&name, &encode(vec![dense], &target.path().join(&name))?)?;
    }
    target.commit().map(|_| ())
}

fn not_like_bert(reason: String) -> TrainError {
    TrainError::Model(ModelError::Unsupported {
        method: "this model".to_owned(),
        purpose: "a folder of sentence-transformers",
        reason,
        remedy: "use it with `mixlab embed` and `mixlab search`, which take every model".to_owned(),
    })
}

/// The tensors of the encoder by BERT's names, and that of a dense map.
fn tensors(folder: &EmbedderFolder, vocabulary: usize) -> (Vec<NamedTensor>, Option<NamedTensor>) {
    let model = &folder.config.model;
    let mut values = parameter_values(&folder.model);
    let mut take = |ours: &str| values.remove(ours);
    let (width, hidden) = (model.width, model.channel_of(0).hidden(model.width));
    let mut named = Vec::new();
    let mut add = |name: &str, shape: Vec<usize>, value: Tensor<1>| {
        named.push(NamedTensor { name: name.to_owned(), shape, value });
    };
    for link in names::links(Family::Bert, model.depth) {
        let Some(value) = take(&link.ours) else { continue };
        let [size] = value.dims();
        if !link.turned {
            add(&link.theirs, vec![size], value);
            continue;
        }
        let inputs = if link.ours.ends_with("down.weight") { hidden } else { width };
        let outputs = size / inputs;
        add(&link.theirs, vec![outputs, inputs], turned(value, [inputs, outputs]));
    }
    if let Some(tokens) = take(TOKENS) {
        let types = take(TYPES).unwrap_or_else(|| Tensor::zeros([width], (&tokens.device(), tokens.dtype())));
        add(THEIR_TYPES, vec![model.embedding.types.max(1), width], types);
        add(THEIR_TOKENS, vec![vocabulary, width], tokens);
    }
    if let Some(positions) = take(POSITIONS) {
        add(THEIR_POSITIONS, vec![model.max_length, width], positions);
    }
    let dense = take(PROJECTION).map(|value| {
        let outputs = value.dims()[0] / width;
        NamedTensor {
            name: "linear.weight".to_owned(),
            shape: vec![outputs, width],
            value: turned(value, [width, outputs]),
        }
    });
    (named, dense)
}
