//! What the sentence-transformers library puts behind an encoder: pooling, a dense map, unit length.

use std::path::{Path, PathBuf};

use mixlab_nn::{EmbeddingPooling, ModelConfig};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::architecture::foreign;
use crate::TrainError;
use crate::storage::{self, StagedFolder};

const MODULES: &str = "modules.json";
const SIZES: &str = "sentence_bert_config.json";
const PROMPTS: &str = "config_sentence_transformers.json";
/// Folder of the pooling.
const POOLING: &str = "1_Pooling";
/// Folder of the dense map.
pub(super) const DENSE: &str = "2_Dense";
const IDENTITY: &str = "torch.nn.modules.linear.Identity";

/// What follows the encoder.
#[derive(Debug, PartialEq)]
pub(super) struct Pipeline {
    pub pooling: EmbeddingPooling,
    pub normalised: bool,
    /// Folder and width of a dense map.
    pub dense: Option<(PathBuf, usize)>,
    /// Longest text in tokens, if it is said.
    pub length: Option<usize>,
    /// Whether texts are lowered before the tokenizer sees them.
    pub lower: bool,
    /// What the reader should know.
    pub notes: Vec<String>,
}

#[derive(Deserialize)]
struct ModuleEntry {
    path: String,
    r#type: String,
}

#[derive(Deserialize)]
struct Sizes {
    max_seq_length: Option<usize>,
    #[serde(default)]
    do_lower_case: bool,
}

#[derive(Deserialize)]
struct Dense {
    out_features: usize,
    #[serde(default)]
    bias: bool,
    activation_function: String,
}

impl Pipeline {
    /// Reads what follows the encoder in `folder`; without `modules.json` the mean at unit length.
    ///
    /// # Errors
    /// [`TrainError::Read`], [`TrainError::Damaged`], or [`TrainError::Foreign`] of a step that has no counterpart here.
    pub fn read(folder: &Path) -> Result<Self, TrainError> {
        let mut pipeline = Pipeline {
            pooling: EmbeddingPooling::Mean,
            normalised: false,
            dense: None,
            length: None,
            lower: false,
            notes: Vec::new(),
        };
        let path = folder.join(MODULES);
        if path.is_file() {
            for module in read_json::<Vec<ModuleEntry>>(&path)? {
                pipeline.add(folder, &path, &module)?;
            }
        } else {
            pipeline.normalised = true;
            pipeline.notes.push(format!(
                "there is no {MODULES}: the embedding is the mean of all positions, at unit length"
            ));
        }
        let sizes = folder.join(SIZES);
        if sizes.is_file() {
            let sizes: Sizes = read_json(&sizes)?;
            (pipeline.length, pipeline.lower) = (sizes.max_seq_length, sizes.do_lower_case);
        }
        pipeline.note_prompts(&folder.join(PROMPTS))?;
        Ok(pipeline)
    }

    fn add(&mut self, folder: &Path, list: &Path, module: &ModuleEntry) -> Result<(), TrainError> {
        let place = folder.join(&module.path);
        match module.r#type.rsplit('.').next().unwrap_or_default() {
            "Transformer" if module.path.is_empty() => {}
            "Pooling" => self.pooling = read_pooling(&place.join("config.json"))?,
            "Dense" if self.dense.is_none() => {
                self.dense = Some((place.clone(), read_dense(&place.join("config.json"))?))
            }
            "Normalize" => self.normalised = true,
            _ => return Err(foreign(list, format!("its step {} has no counterpart here", module.r#type))),
        }
        Ok(())
    }

    fn note_prompts(&mut self, path: &Path) -> Result<(), TrainError> {
        if !path.is_file() {
            return Ok(());
        }
        let value: serde_json::Value = read_json(path)?;
        if let Some(prompt) = value.get("default_prompt_name").and_then(|name| name.as_str()) {
            self.notes.push(format!(
                "the prompt `{prompt}` is not put in front of texts by itself: do so in your data"
            ));
        }
        Ok(())
    }
}

/// Older files have a flag for each way of pooling, newer ones a word.
fn read_pooling(path: &Path) -> Result<EmbeddingPooling, TrainError> {
    let value: serde_json::Value = read_json(path)?;
    let fields = value.as_object().into_iter().flatten();
    let flags = fields
        .filter(|(_, value)| **value == json!(true))
        .filter_map(|(key, _)| key.strip_prefix("pooling_mode_"));
    let word = value.get("pooling_mode").and_then(|mode| mode.as_str());
    let chosen: Vec<&str> = flags.chain(word).collect();
    match chosen[..] {
        ["mean_tokens" | "mean"] => Ok(EmbeddingPooling::Mean),
        ["max_tokens" | "max"] => Ok(EmbeddingPooling::Max),
        ["cls_token" | "cls"] => Ok(EmbeddingPooling::ClassToken),
        [] => Err(TrainError::damaged(path)("it chooses no way of pooling")),
        _ => Err(foreign(path, format!("it pools by {}", chosen.join(" and ")))),
    }
}

fn read_dense(path: &Path) -> Result<usize, TrainError> {
    let dense: Dense = read_json(path)?;
    if dense.bias || dense.activation_function != IDENTITY {
        return Err(foreign(path, "its dense map has a bias or an activation".into()));
    }
    Ok(dense.out_features)
}

fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, TrainError> {
    serde_json::from_slice(&storage::read(path)?).map_err(TrainError::damaged(path))
}

/// Whether the library has this way of pooling, or why not.
pub(super) fn check(pooling: EmbeddingPooling) -> Result<(), String> {
    match pooling {
        EmbeddingPooling::Mean | EmbeddingPooling::Max | EmbeddingPooling::ClassToken => Ok(()),
        EmbeddingPooling::FirstLast | EmbeddingPooling::Attention => {
            Err("its pooling is none of `mean`, `max` and `class_token`".into())
        }
    }
}

/// Writes what follows the encoder of a model, for the sentence-transformers library. The dense map itself is the caller's.
///
/// # Errors
/// [`TrainError::Write`].
pub(super) fn write(folder: &mut StagedFolder, model: &ModelConfig, length: usize) -> Result<(), TrainError> {
    let embedder = &model.embedder;
    let mut modules = vec![("", "Transformer"), (POOLING, "Pooling")];
    modules.extend(embedder.width.map(|_| (DENSE, "Dense")));
    modules.extend(embedder.normalised.then_some(("3_Normalize", "Normalize")));
    let modules: Vec<_> = modules
        .iter()
        .enumerate()
        .map(|(index, (path, kind))| {
            let kind = format!("sentence_transformers.models.{kind}");
            json!({"idx": index, "name": index.to_string(), "path": path, "type": kind})
        })
        .collect();
    let pooling = embedder.pooling;
    let pooling = json!({
        "word_embedding_dimension": model.width,
        "pooling_mode_cls_token": pooling == EmbeddingPooling::ClassToken,
        "pooling_mode_mean_tokens": pooling == EmbeddingPooling::Mean,
        "pooling_mode_max_tokens": pooling == EmbeddingPooling::Max,
        "pooling_mode_mean_sqrt_len_tokens": false,
    });
    write_json(folder, MODULES, &modules)?;
    folder.make(POOLING)?;
    write_json(folder, &format!("{POOLING}/config.json"), &pooling)?;
    if let Some(width) = embedder.width {
        folder.make(DENSE)?;
        let dense = json!({
            "in_features": model.width, "out_features": width, "bias": false, "activation_function": IDENTITY,
        });
        write_json(folder, &format!("{DENSE}/config.json"), &dense)?;
    }
    write_json(folder, SIZES, &json!({"max_seq_length": length, "do_lower_case": false}))
}

/// Adds a file of JSON to a folder under construction.
pub(super) fn write_json(
    folder: &mut StagedFolder,
    name: &str,
    value: &impl Serialize,
) -> Result<(), TrainError> {
    let text = serde_json::to_string_pretty(value).map_err(TrainError::damaged(&folder.path().join(name)))?;
    folder.write(name, (text + "\n").as_bytes())
}
