//! Embedding models at work.

use std::path::Path;

use burn::tensor::Device;

use super::embedding::{folder, train};
use crate::{EmbedderFolder, TextEmbedder, TrainError};

/// Texts of many lengths, some longer than the 12 tokens of the model.
fn texts() -> Vec<String> {
    (0..40).map(|i| format!("{i} {}", "ab c".repeat(i * 7 % 5))).collect()
}

fn embed(folder: &EmbedderFolder, texts: &[&str], tokens: usize) -> Vec<f64> {
    TextEmbedder::new(folder, &Device::flex(), tokens).unwrap().embed(texts).unwrap()
}

/// Mixers that are safe with padding, one that is not, and one of a single length.
const MIXERS: [&str; 4] = [
    "model.mixer={kind=\"softmax_attention\", heads=2}",
    "model.mixer={kind=\"fnet\"}",
    "model.mixer={kind=\"mlp_mixer\", length=\"interpolate\"}",
    "model.mixer={kind=\"mlp_mixer\", length=\"refuse\"}",
];

#[test]
fn batches_change_nothing_but_the_rounding() {
    let texts = texts();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for mixer in MIXERS {
        for (precision, tolerance) in [("f32", 1e-5), ("f64", 1e-12)] {
            let dir = folder();
            let precision = format!("run.precision={precision}");
            train(dir.path(), "run", &["train.steps=3", mixer, &precision]).unwrap();
            let folder = EmbedderFolder::load(&dir.path().join("run/model"), &Device::flex()).unwrap();
            let expected = embed(&folder, &texts, 0);
            assert_eq!(expected.len(), texts.len() * folder.width());
            for tokens in [50, 4096] {
                let found = embed(&folder, &texts, tokens);
                let apart = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                assert!(apart < tolerance, "{mixer}, {precision}, {tokens} tokens: {apart}");
            }
        }
    }
}

fn trained(folder: &Path) -> EmbedderFolder {
    train(folder, "run", &["train.steps=2"]).unwrap();
    EmbedderFolder::load(&folder.join("run/model"), &Device::flex()).unwrap()
}

#[test]
fn windows_are_counted_through_and_long_texts_lose_their_ends() {
    let dir = folder();
    let (folder, device) = (trained(dir.path()), Device::flex());
    let mut embedder = TextEmbedder::new(&folder, &device, TextEmbedder::BATCH_TOKENS).unwrap();
    // Eleven letters follow the token that begins a text.
    let values = embedder.embed(&["12345678901", "123456789012", "b"]).unwrap();
    assert_eq!((embedder.rows(), embedder.cut(), embedder.longest()), (3, 1, 12));
    let vectors: Vec<&[f64]> = values.chunks(folder.width()).collect();
    let apart = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(apart(vectors[0], vectors[1]) < 1e-5 && apart(vectors[0], vectors[2]) > 1e-3);
    assert_eq!(embedder.embed(&[]).unwrap(), [0.0; 0]);
    let error = embedder.embed(&["a", " \t"]).unwrap_err();
    assert!(matches!(error, TrainError::EmptyText { row: 5 }), "{error}");
}
