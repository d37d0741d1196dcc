//! An embedding model as a folder of the sentence-transformers library.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Tensor;
use mixlab_nn::ModelError;

use super::architecture::{Bert, Family};
use super::import::turned;
use super::names::{self, POSITIONS, PROJECTION, THEIR_POSITIONS, THEIR_TOKENS, THEIR_TYPES, TOKENS, TYPES};
use super::pipeline::{self, DENSE, write_json};
use crate::model_folder::{CONFIG, TOKENIZER, WEIGHTS};
use crate::parameters::parameter_tensors;
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
    let bert = Bert::of(&config.model, tokenizer.vocabulary(), tokenizer.padding()).map_err(not_like_bert)?;
    pipeline::check(config.model.embedder.pooling).map_err(not_like_bert)?;
    let mut target = StagedFolder::new(out)?;
    let (encoder, dense) = tensors(folder);
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
fn tensors(folder: &EmbedderFolder) -> (Vec<NamedTensor>, Option<NamedTensor>) {
    let own = parameter_tensors(&folder.model, None);
    let mut own: BTreeMap<String, NamedTensor> =
        own.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect();
    let mut take = |ours: &str, theirs: &str, is_turned: bool| {
        let NamedTensor { shape, value, .. } = own.remove(ours)?;
        let name = theirs.to_owned();
        Some(match shape[..] {
            [inputs, outputs] if is_turned => {
                NamedTensor { name, shape: vec![outputs, inputs], value: turned(value, [inputs, outputs]) }
            }
            _ => NamedTensor { name, shape, value },
        })
    };
    let links = names::links(Family::Bert, folder.config.model.depth);
    let mut named: Vec<NamedTensor> =
        links.iter().filter_map(|link| take(&link.ours, &link.theirs, link.turned)).collect();
    named.extend(take(POSITIONS, THEIR_POSITIONS, false));
    let tokens = take(TOKENS, THEIR_TOKENS, false);
    named.extend(take(TYPES, THEIR_TYPES, false).or_else(|| tokens.as_ref().map(no_types)));
    named.extend(tokens);
    (named, take(PROJECTION, "linear.weight", true))
}

/// One type of zeros, for a model without types.
fn no_types(tokens: &NamedTensor) -> NamedTensor {
    let (width, value) = (tokens.shape[1], &tokens.value);
    let value = Tensor::zeros([width], (&value.device(), value.dtype()));
    NamedTensor { name: THEIR_TYPES.to_owned(), shape: vec![1, width], value }
}
