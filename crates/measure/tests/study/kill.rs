//! `kill -9` at any moment: this test program starts itself as a child that runs a sweep.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use mixlab_measure::study::{SweepOptions, sweep};

use crate::fake::{Fake, sweep_file};

const FOLDER: &str = "MIXLAB_TEST_SWEEP";
const SEEDS: [u64; 3] = [1, 2, 3];

/// Not a test of its own: does nothing unless the test below has started this process.
#[test]
fn child() {
    let Some(out) = env::var_os(FOLDER).map(PathBuf::from) else { return };
    let mut fake = Fake { pause: Duration::from_millis(6), ..Fake::default() };
    let outcome = sweep(&sweep_file(&out, &SEEDS), &mut fake, SweepOptions::default(), &mut |_| {}).unwrap();
    assert_eq!(outcome.finished, 6);
}

/// Starts the child and kills it after `delay`; whether it had ended by itself.
fn run_and_kill(out: &Path, delay: Duration) -> bool {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["kill::child", "--exact"])
        .env(FOLDER, out)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    sleep(delay);
    if let Some(status) = child.try_wait().unwrap() {
        assert!(status.success(), "the child failed by itself");
        return true;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    false
}

/// Everything a study consists of, without the folders' names.
fn contents(out: &Path) -> Vec<(String, String)> {
    let mut files: Vec<PathBuf> = ["", "state", "cells/width=2,seed=1", "cells/width=4,seed=3"]
        .iter()
        .flat_map(|folder| fs::read_dir(out.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file() && path.file_name() != Some("sweep.toml".as_ref()))
        .collect();
    files.sort();
    let name = |path: &PathBuf| path.strip_prefix(out).unwrap().display().to_string();
    files.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn a_study_killed_again_and_again_ends_like_an_undisturbed_one() {
    let undisturbed = tempfile::tempdir().unwrap();
    sweep(
        &sweep_file(undisturbed.path(), &SEEDS),
        &mut Fake::default(),
        SweepOptions::default(),
        &mut |_| {},
    )
    .unwrap();

    let killed = tempfile::tempdir().unwrap();
    let mut kills = 0u64;
    // Uneven delays land inside lines, between steps, in tables, and between cells.
    while !run_and_kill(killed.path(), Duration::from_millis(20 + 17 * (kills % 7) + kills)) {
        kills += 1;
        assert!(kills < 500, "the study makes no progress");
    }
    assert!(kills >= 2, "the child was never killed");
    assert_eq!(contents(killed.path()), contents(undisturbed.path()));
}
