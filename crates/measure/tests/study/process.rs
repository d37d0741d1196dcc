//! Cells as child processes, with a shell script in the place of the program.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use mixlab_measure::study::{Outcome, ProcessRunner, StudyError, SweepOptions, sweep};

use crate::fake::sweep_file;

/// `config show` prints the overrides as TOML; `train` writes one line and behaves as the seed says:
/// 1 ends well, 2 fails, 3 is interrupted once and ends well on `resume`.
const PROGRAM: &str = r#"#!/bin/sh
verb=$1
if [ "$verb" = config ]; then
    shift 3
    while [ $# -gt 1 ]; do echo "$2"; shift 2; done
    exit 0
fi
line='{"step":1,"split":"eval","loss":1.5}'
if [ "$verb" = resume ]; then echo "$line" > "$2/metrics.jsonl"; exit 0; fi
if [ -e "$4" ]; then echo "error: the folder is not empty" >&2; exit 2; fi
mkdir -p "$4"
case "$*" in
    *run.seed=2*) echo "step 1"; echo "error: the loss is NaN" >&2; echo "hint: lower the rate" >&2; exit 3 ;;
    *run.seed=3*) : > "$4/config.toml"; exit 130 ;;
esac
: > "$4/config.toml"
echo "$line" > "$4/metrics.jsonl"
sleep 0.2
"#;

fn runner(folder: &Path) -> ProcessRunner {
    let program = folder.join("program.sh");
    fs::write(&program, PROGRAM).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    ProcessRunner { program, base: PathBuf::from("base.toml"), interrupt: Arc::new(AtomicBool::new(false)) }
}

fn run(folder: &Path, seeds: &[u64]) -> Result<Outcome, StudyError> {
    let file = sweep_file(&folder.join("out"), seeds);
    sweep(&file, &mut runner(folder), SweepOptions::default(), &mut |_| {})
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
    let mut runner = runner(folder.path());
    runner.program = folder.path().join("absent");
    let file = sweep_file(&folder.path().join("out"), &[1]);
    let error = sweep(&file, &mut runner, SweepOptions::default(), &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("cannot run"), "{error}");
}
