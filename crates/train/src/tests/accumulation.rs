//! Pieces of a batch, and pieces of a model, give the gradient of the whole.

use std::collections::BTreeMap;

use super::resolved;
use crate::{Silent, prepare};

fn gradient(sets: &[&str]) -> (f64, BTreeMap<String, Vec<f64>>) {
    let dir = tempfile::tempdir().unwrap();
    let mut all = vec!["run.precision=f64", "data.packing=documents", "data.document_separator=line"];
    all.extend(sets);
    let config = resolved(dir.path(), &all).value;
    let task = prepare::language_task(&config, None, &mut Silent).unwrap();
    let (update, gradients) = task.gradient(3).unwrap();
    let values =
        |(path, gradient): (String, burn::tensor::Tensor<1>)| (path, gradient.into_data().iter().collect());
    (update.loss, gradients.into_iter().map(values).collect())
}

/// Rows are padded to different lengths here: pieces have different numbers of targets, and a mean of
/// means would give another gradient.
#[test]
fn k_micro_batches_equal_one_batch() {
    for objective in ["causal_lm", "masked_lm"] {
        let objective = format!("objective.kind={objective}");
        let (loss, whole) = gradient(&["train.batch=8", "train.accumulation=1", &objective]);
        for split in [["train.batch=4", "train.accumulation=2"], ["train.batch=1", "train.accumulation=8"]] {
            let (split_loss, pieces) = gradient(&[split[0], split[1], &objective]);
            assert!((loss - split_loss).abs() < 1e-12, "{split_loss} against {loss}");
            assert_eq!(whole.keys().collect::<Vec<_>>(), pieces.keys().collect::<Vec<_>>());
            for (path, values) in &whole {
                for (index, (a, b)) in values.iter().zip(&pieces[path]).enumerate() {
                    assert!((a - b).abs() < 1e-12, "{path}[{index}]: {b} against {a}, {split:?}");
                }
            }
        }
    }
}

/// Every mixer, with dropout, a tied head and a number of blocks that segments do not divide.
#[test]
fn recomputed_activations_give_the_same_bits() {
    let mixers = [
        "{ kind = \"softmax_attention\", heads = 2, attention_dropout = 0.2 }",
        "{ kind = \"linear_attention\", heads = 2 }",
        "{ kind = \"gau\", normaliser = { kind = \"softmax\" }, key_width = 8 }",
        "{ kind = \"flash\", chunk = 8, key_width = 8 }",
    ];
    for mixer in mixers {
        for objective in ["causal_lm", "masked_lm"] {
            let gradient = |recompute: &str| {
                let model = format!(
                    "model={{ width = 16, depth = 5, max_length = 24, mixer = {mixer}, \
                     dropout = {{ branch = 0.1, embedding = 0.1 }}, recompute = {recompute} }}"
                );
                gradient(&[&model, "train.batch=4", &format!("objective.kind={objective}")])
            };
            let (loss, whole) = gradient("\"none\"");
            for recompute in ["\"block\"", "2", "5", "9"] {
                let (segmented_loss, segmented) = gradient(recompute);
                assert_eq!(loss.to_bits(), segmented_loss.to_bits(), "{mixer}, {recompute}");
                assert_eq!(whole.keys().collect::<Vec<_>>(), segmented.keys().collect::<Vec<_>>());
                for (path, values) in &whole {
                    let same = values.iter().zip(&segmented[path]).all(|(a, b)| a.to_bits() == b.to_bits());
                    assert!(same, "{path}: {mixer}, {objective}, {recompute}");
                }
            }
        }
    }
}
