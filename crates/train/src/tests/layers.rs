//! Looking at an update by block changes nothing in it.

use std::fs;

use super::{resolved, train};
use crate::{Layers, Silent, prepare, task};

fn layers(sets: &[&str], step: u64) -> Layers {
    let dir = tempfile::tempdir().unwrap();
    let config = resolved(dir.path(), sets).value;
    let mut task = task(&config, None, &mut Silent).unwrap();
    task.update_by_layer(step, 1e-2).unwrap().1.expect("a stack of blocks")
}

#[test]
fn a_run_that_is_looked_at_is_the_same_run() {
    let dir = tempfile::tempdir().unwrap();
    let (plain, looked) = (dir.path().join("plain"), dir.path().join("looked"));
    train(dir.path(), &plain, &["model.depth=3"]).unwrap();
    train(dir.path(), &looked, &["model.depth=3", "train.layers_every=4"]).unwrap();
    let weights = |run: &std::path::Path| fs::read(run.join("model/model.safetensors")).unwrap();
    assert_eq!(weights(&plain), weights(&looked));
    let events = |run: &std::path::Path| fs::read(run.join(crate::metrics::EVENTS)).unwrap();
    let histograms = |bytes: &[u8]| bytes.windows(13).filter(|part| part == b"layers/signal").count();
    assert_eq!((histograms(&events(&plain)), histograms(&events(&looked))), (0, 2));
}

#[test]
fn there_is_a_number_for_every_block() {
    let Layers { signal, gradient, update } = layers(&["model.depth=3"], 0);
    assert_eq!([signal.len(), gradient.len(), update.len()], [3; 3]);
    assert!([signal, gradient, update].concat().iter().all(|&number| number > 0.0 && number.is_finite()));
    // The norms of the blocks are those of their parts of the whole gradient.
    let dir = tempfile::tempdir().unwrap();
    let config = resolved(dir.path(), &["model.depth=3"]).value;
    let (_, whole) = prepare::language_task(&config, None, &mut Silent).unwrap().gradient(0).unwrap();
    let second = whole.iter().filter(|(path, _)| path.starts_with("backbone.blocks.1."));
    let squares = second.map(|(_, part)| part.clone().powi_scalar(2).sum().into_scalar::<f64>());
    let expected = squares.sum::<f64>().sqrt();
    let found = layers(&["model.depth=3"], 0).gradient[1];
    assert!((found / expected - 1.0).abs() < 1e-5, "{found} instead of {expected}");
}
