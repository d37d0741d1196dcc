//! Every config in `configs/`, benches included, is valid, from where the README says to run it: the root of the project.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use support::Ended;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The configs that start with a `base` are sweeps, the others runs.
fn configs() -> (Vec<String>, Vec<String>) {
    let names = ["configs", "configs/bench", "configs/equal"].into_iter().flat_map(|folder| {
        let entries = std::fs::read_dir(root().join(folder)).expect("a folder of configs");
        entries.map(move |entry| {
            let name = entry.expect("an entry").file_name().into_string().expect("a name");
            format!("{folder}/{name}")
        })
    });
    names.filter(|name| name.ends_with(".toml")).partition(|name| {
        let text = std::fs::read_to_string(root().join(name)).expect("a config");
        text.lines().any(|line| line.starts_with("base = "))
    })
}

fn dry_run(verb: &str, config: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mixlab"));
    let output = command.args([verb, config, "--dry-run"]).current_dir(root()).output();
    let ended = Ended::from(output.expect("the program starts"));
    assert_eq!(ended.code, Some(0), "{config}: {}", ended.stderr);
    ended.stdout
}

#[test]
fn every_run_can_start() {
    let (_, runs) = configs();
    assert!(runs.len() >= 9, "{runs:?}");
    for config in runs {
        assert!(dry_run("train", &config).contains("all parameters"), "{config}");
    }
}

#[test]
fn every_cell_of_every_sweep_can_start() {
    let (sweeps, _) = configs();
    assert!(!sweeps.is_empty());
    for config in sweeps {
        let cells = dry_run("sweep", &config);
        assert!(cells.lines().count() > 1 && cells.contains("run.seed=1"), "{config}:\n{cells}");
    }
}
