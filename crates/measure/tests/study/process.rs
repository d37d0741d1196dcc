//! Cells as child processes, with a shell script in the place of the program.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use mixlab_measure::study::{Outcome, ProcessRunner, StudyError, SweepOptions, sweep};

use crate::fake::sweep_file;

/// A file of the project: one that a test wrote could not be run while another test starts a child, which holds it open.
fn runner() -> ProcessRunner {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/study/program.sh");
    ProcessRunner { program, base: PathBuf::from("base.toml"), interrupt: Arc::new(AtomicBool::new(false)) }
}

fn run(folder: &Path, seeds: &[u64]) -> Result<Outcome, StudyError> {
    let file = sweep_file(&folder.join("out"), seeds);
    sweep(&file, &mut runner(), SweepOptions::default(), &mut |_| {})
}

#[test]
fn a_child_that_ends_well_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = run(folder.path(), &[1]).unwrap();
    assert_eq!(outcome.finished, 2);
    let columns = &outcome.study.table().rows[0].columns;
    assert_eq!(columns[0].summary.unwrap().mean, 1.5);
    assert_eq!(columns[1].summary.is_some(), cfg!(target_os = "linux"));
}

#[test]
fn a_child_that_fails_leaves_its_error_line_and_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = run(folder.path(), &[2]).unwrap();
    assert_eq!(outcome.failed, 2);
    let text = outcome.study.table().text();
    assert!(text.contains("failed: width=2,seed=2: exit status: 3: the loss is NaN"), "{text}");
    let log = fs::read_to_string(folder.path().join("out/logs/width=2,seed=2.txt")).unwrap();
    assert_eq!(log, "step 1\nerror: the loss is NaN\nhint: lower the rate\n");
}

#[test]
fn a_child_that_was_interrupted_is_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = run(folder.path(), &[3]).unwrap();
    assert!(outcome.interrupted);
    // Both cells need two calls: the second call resumes the first cell and starts the second.
    assert!(run(folder.path(), &[3]).unwrap().interrupted);
    let outcome = run(folder.path(), &[3]).unwrap();
    assert_eq!((outcome.finished, outcome.interrupted), (2, false));
}

#[test]
fn a_half_made_folder_is_started_anew() {
    let folder = tempfile::tempdir().unwrap();
    assert!(run(folder.path(), &[3]).unwrap().interrupted);
    fs::remove_file(folder.path().join("out/cells/width=2,seed=3/config.toml")).unwrap();
    // `train` of the script refuses a folder that exists: it was cleared, and interrupted again.
    assert!(run(folder.path(), &[3]).unwrap().interrupted);
}

#[test]
fn a_program_that_cannot_be_run_makes_the_cells_invalid() {
    let folder = tempfile::tempdir().unwrap();
    let mut runner = runner();
    runner.program = folder.path().join("absent");
    let file = sweep_file(&folder.path().join("out"), &[1]);
    let error = sweep(&file, &mut runner, SweepOptions::default(), &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("cannot run"), "{error}");
}
