//! Runs that exist already.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use mixlab_measure::study::{Metric, StudyError, compare};

fn run(parent: &Path, name: &str, config: &str, loss: f64, steps: u64) -> PathBuf {
    let folder = parent.join(name);
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("config.toml"), config).unwrap();
    let line =
        |step| format!("{{\"step\":{step},\"split\":\"eval\",\"loss\":{}}}\n", loss + 1.0 / step as f64);
    fs::write(folder.join("metrics.jsonl"), (1..=steps).map(line).collect::<String>()).unwrap();
    folder
}

fn config(seed: u64, kind: &str, width: u64) -> String {
    format!(
        "[run]\nseed = {seed}\n[train]\nsteps = 10\n[model]\nwidth = {width}\nmixer = {{ kind = '{kind}' }}\n"
    )
}

fn loss() -> Vec<Metric> {
    Metric::select(&["eval_loss".to_owned()], &BTreeMap::new()).unwrap()
}

#[test]
fn runs_that_differ_in_the_seed_alone_are_one_group() {
    let parent = tempfile::tempdir().unwrap();
    let folders = [
        run(parent.path(), "c", &config(1, "gau", 64), 3.0, 10),
        run(parent.path(), "a", &config(1, "flash", 64), 2.0, 10),
        run(parent.path(), "b", &config(2, "gau", 64), 5.0, 10),
    ];
    let study = compare(&folders, &loss()).unwrap();
    assert_eq!(study.axes, ["mixer.kind"]);
    let rows: Vec<_> = study.groups.iter().map(|g| (g.label(), g.runs.len())).collect();
    assert_eq!(rows, [("gau".to_owned(), 2), ("flash".to_owned(), 1)]);
    let table = study.table();
    assert!((table.rows[0].columns[0].summary.unwrap().mean - 4.1).abs() < 1e-12);
    assert!(table.rows[1].columns[0].best);
    assert!(study.notes.is_empty());
    assert!(study.curves_svg().unwrap().is_some());
}

#[test]
fn absent_keys_unfinished_runs_and_cut_lines_are_said() {
    let parent = tempfile::tempdir().unwrap();
    let short =
        run(parent.path(), "short", "[run]\nseed = 1\n[train]\nsteps = 10\n[model]\nwidth = 8", 1.0, 7);
    let cut = run(parent.path(), "cut", &config(1, "gau", 8), 1.0, 10);
    let mut text = fs::read_to_string(cut.join("metrics.jsonl")).unwrap();
    text.push_str("{\"step\":11,");
    fs::write(cut.join("metrics.jsonl"), text).unwrap();
    let study = compare(&[short, cut], &loss()).unwrap();
    assert_eq!(study.groups[0].coordinates, ["–"]);
    assert!(study.notes[0].ends_with("short logged 7 of 10 steps"));
    assert!(study.notes[1].contains("is cut short"));
    assert!(study.table().text().contains("note: "));
}

#[test]
fn one_measurement_is_not_counted_twice() {
    let parent = tempfile::tempdir().unwrap();
    let a = run(parent.path(), "a", &config(1, "gau", 8), 1.0, 10);
    let b = run(parent.path(), "b", &config(1, "gau", 8), 1.0, 10);
    assert!(matches!(compare(&[a, b], &loss()), Err(StudyError::SameRun { .. })));
}

#[test]
fn what_is_not_a_run_is_named() {
    let parent = tempfile::tempdir().unwrap();
    let error = compare(&[parent.path().to_owned()], &loss()).unwrap_err();
    assert!(error.to_string().contains("config.toml"), "{error}");
    let broken = run(parent.path(), "x", "= 3", 1.0, 1);
    assert!(matches!(compare(&[broken], &loss()), Err(StudyError::Toml { .. })));
    assert!(matches!(compare(&[], &loss()), Err(StudyError::Empty { .. })));
}

#[test]
fn a_missing_field_leaves_a_hole_with_its_reason() {
    let parent = tempfile::tempdir().unwrap();
    let a = run(parent.path(), "a", &config(1, "gau", 8), 1.0, 10);
    let metrics = Metric::select(&["bits_per_byte".to_owned()], &BTreeMap::new()).unwrap();
    let text = compare(&[a], &metrics).unwrap().table().text();
    assert!(text.contains("bits_per_byte: no eval line has `bits_per_byte`"), "{text}");
}
