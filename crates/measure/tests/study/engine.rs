//! What is run, what is skipped, what is refused.

use std::fs;
use std::path::Path;

use mixlab_measure::study::{
    Cell, CellEnd, CellError, CellRunner, Event, Outcome, Place, StaleReason, StudyError, SweepFile,
    SweepOptions, sweep,
};

use crate::fake::{Fake, STEPS, sweep_file};

fn run(file: &SweepFile, fake: &mut Fake) -> Result<Outcome, StudyError> {
    sweep(file, fake, SweepOptions::default(), &mut |_| {})
}

fn with_axis(file: &SweepFile, axis: &str) -> SweepFile {
    let text = format!("{}\n{axis}", toml::to_string(file).unwrap());
    SweepFile::parse(Path::new("s.toml"), &text).unwrap()
}

#[test]
fn runs_everything_once_seed_by_seed() {
    let out = tempfile::tempdir().unwrap();
    let file = sweep_file(out.path(), &[1, 2]);
    let mut fake = Fake::default();
    let outcome = run(&file, &mut fake).unwrap();
    assert_eq!((outcome.finished, outcome.failed, outcome.pending), (4, 0, 0));
    assert_eq!(fake.ran, ["width=2,seed=1", "width=4,seed=1", "width=2,seed=2", "width=4,seed=2"]);

    let mut second = Fake::default();
    let mut skipped = 0;
    let mut count = |event: Event| skipped += usize::from(matches!(event, Event::Skipped { .. }));
    let again = sweep(&file, &mut second, SweepOptions::default(), &mut count).unwrap();
    assert!(second.ran.is_empty());
    assert_eq!(skipped, 4);
    assert_eq!(again.study, outcome.study);
}

#[test]
fn a_longer_list_runs_only_what_is_new() {
    let out = tempfile::tempdir().unwrap();
    run(&sweep_file(out.path(), &[1]), &mut Fake::default()).unwrap();
    let mut fake = Fake::default();
    run(&sweep_file(out.path(), &[3, 1]), &mut fake).unwrap();
    assert_eq!(fake.ran, ["width=2,seed=3", "width=4,seed=3"]);
}

#[test]
fn a_failed_cell_is_recorded_and_the_others_go_on() {
    let out = tempfile::tempdir().unwrap();
    let file = sweep_file(out.path(), &[1, 2]);
    let mut fake = Fake { broken: vec!["width=2,seed=1".to_owned()], ..Fake::default() };
    let outcome = run(&file, &mut fake).unwrap();
    assert_eq!((outcome.finished, outcome.failed), (3, 1));
    assert!(outcome.study.table().text().contains("failed: width=2,seed=1: the loss is NaN at step 3"));

    let mut repaired = Fake::default();
    assert_eq!(run(&file, &mut repaired).unwrap().failed, 1);
    assert!(repaired.ran.is_empty());
    let options = SweepOptions { retry_failed: true };
    let outcome = sweep(&file, &mut repaired, options, &mut |_| {}).unwrap();
    assert_eq!(repaired.ran, ["width=2,seed=1"]);
    assert_eq!((outcome.finished, outcome.failed), (4, 0));
}

#[test]
fn a_panic_is_a_failure_of_its_cell() {
    let out = tempfile::tempdir().unwrap();
    let file = with_axis(
        &sweep_file(out.path(), &[1]),
        "[[axis]]\nname = 'kind'\nkey = 'model.kind'\nvalues = ['panics', 'works']",
    );
    let outcome = run(&file, &mut Fake::default()).unwrap();
    assert_eq!((outcome.finished, outcome.failed), (2, 2));
    assert!(outcome.study.table().text().contains("panicked: index out of range"));
}

#[test]
fn an_invalid_config_stops_the_sweep_before_the_first_run() {
    let out = tempfile::tempdir().unwrap();
    let file = with_axis(
        &sweep_file(out.path(), &[1]),
        "[[axis]]\nname = 'kind'\nkey = 'model.kind'\nvalues = ['fine', 'impossible']",
    );
    let mut fake = Fake::default();
    let error = run(&file, &mut fake).unwrap_err();
    assert!(fake.ran.is_empty());
    let StudyError::InvalidCells { cells, total } = &error else { panic!("{error}") };
    assert_eq!((cells.len(), *total), (2, 4));
    assert!(error.to_string().ends_with("`kind=impossible,width=2,seed=1`: `model.kind` cannot be that"));
}

#[test]
fn a_changed_config_is_reported_and_nothing_is_touched() {
    let out = tempfile::tempdir().unwrap();
    run(&sweep_file(out.path(), &[1]), &mut Fake::default()).unwrap();
    let before = fs::read(out.path().join("table.csv")).unwrap();

    let mut changed = Fake { base: "train.steps = 9".parse().unwrap(), ..Fake::default() };
    let error = run(&sweep_file(out.path(), &[1, 2]), &mut changed).unwrap_err();
    let StudyError::Stale { cells } = &error else { panic!("{error}") };
    assert_eq!(cells.len(), 2);
    let change = ("train.steps".to_owned(), None, Some("9".to_owned()));
    assert_eq!(cells[0].reason, StaleReason::Config(vec![change]));
    assert!(error.to_string().ends_with("`width=2,seed=1`: train.steps was absent, is 9"));
    assert!(changed.ran.is_empty());
    assert_eq!(fs::read(out.path().join("table.csv")).unwrap(), before);
}

#[test]
fn a_finished_mark_is_worth_nothing_without_its_metrics() {
    let out = tempfile::tempdir().unwrap();
    let file = sweep_file(out.path(), &[1]);
    run(&file, &mut Fake::default()).unwrap();
    let metrics = out.path().join("cells/width=4,seed=1/metrics.jsonl");
    let whole = fs::read_to_string(&metrics).unwrap();
    fs::write(&metrics, whole.replace("loss\":1", "loss\":0")).unwrap();
    let stale = |fake: &mut Fake| match run(&file, fake) {
        Err(StudyError::Stale { cells }) => cells,
        other => panic!("{other:?}"),
    };
    assert_eq!(stale(&mut Fake::default())[0].reason, StaleReason::Metrics);
    fs::remove_dir_all(metrics.parent().unwrap()).unwrap();
    assert_eq!(stale(&mut Fake::default())[0].cell, "width=4,seed=1");

    // As the hint says: with the state gone as well, the cell runs again.
    fs::remove_file(out.path().join("state/width=4,seed=1.json")).unwrap();
    let mut fake = Fake::default();
    run(&file, &mut fake).unwrap();
    assert_eq!(fake.ran, ["width=4,seed=1"]);
    assert_eq!(fs::read_to_string(&metrics).unwrap(), whole);
}

#[test]
fn a_folder_that_the_sweep_did_not_make_is_left_alone() {
    let out = tempfile::tempdir().unwrap();
    fs::create_dir_all(out.path().join("cells/width=2,seed=1")).unwrap();
    match run(&sweep_file(out.path(), &[1]), &mut Fake::default()) {
        Err(StudyError::Stale { cells }) => assert_eq!(cells[0].reason, StaleReason::Unknown),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_interruption_stops_inside_a_cell_and_is_continued_there() {
    let out = tempfile::tempdir().unwrap();
    let file = sweep_file(out.path(), &[1]);
    let mut fake = Fake { patience: Some(STEPS + 2), ..Fake::default() };
    let outcome = run(&file, &mut fake).unwrap();
    assert!(outcome.interrupted);
    assert_eq!((outcome.finished, outcome.pending), (1, 1));
    assert!(outcome.study.table().text().contains("pending"));

    let mut fake = Fake { patience: Some(3), ..Fake::default() };
    let mut resumed = Vec::new();
    let outcome = sweep(&file, &mut fake, SweepOptions::default(), &mut |event| {
        if let Event::Started { cell, number, total, resumed: true } = event {
            resumed.push((cell.name.clone(), number, total));
        }
    })
    .unwrap();
    assert_eq!(resumed, [("width=4,seed=1".to_owned(), 2, 2)]);
    assert_eq!((outcome.finished, outcome.interrupted), (2, false));
    assert_eq!(fake.patience, Some(1), "two of the four steps were left to do");
}

#[test]
fn an_interruption_between_cells_starts_no_other() {
    let out = tempfile::tempdir().unwrap();
    let mut fake = Fake { patience: Some(STEPS), ..Fake::default() };
    let outcome = run(&sweep_file(out.path(), &[1]), &mut fake).unwrap();
    assert!(outcome.interrupted);
    assert_eq!(fake.ran.len(), 1);
    assert!(!out.path().join("state/width=4,seed=1.json").exists());
}

#[test]
fn two_sweeps_cannot_share_a_folder() {
    struct Nested<'a>(&'a SweepFile, Fake);
    impl CellRunner for Nested<'_> {
        fn resolve(&mut self, cell: &Cell) -> Result<toml::Table, CellError> {
            self.1.resolve(cell)
        }

        fn run(&mut self, cell: &Cell, place: &Place) -> Result<CellEnd, CellError> {
            assert!(matches!(run(self.0, &mut Fake::default()), Err(StudyError::Busy { .. })));
            self.1.run(cell, place)
        }
    }
    let out = tempfile::tempdir().unwrap();
    let file = sweep_file(out.path(), &[1]);
    let mut nested = Nested(&file, Fake::default());
    let outcome = sweep(&file, &mut nested, SweepOptions::default(), &mut |_| {}).unwrap();
    assert_eq!(outcome.finished, 2);
}

#[test]
fn a_run_that_logs_nothing_has_failed() {
    struct Silent;
    impl CellRunner for Silent {
        fn resolve(&mut self, _: &Cell) -> Result<toml::Table, CellError> {
            Ok(toml::Table::new())
        }

        fn run(&mut self, _: &Cell, _: &Place) -> Result<CellEnd, CellError> {
            Ok(CellEnd::Finished(Default::default()))
        }
    }
    let out = tempfile::tempdir().unwrap();
    let file = sweep_file(out.path(), &[1]);
    let outcome = sweep(&file, &mut Silent, SweepOptions::default(), &mut |_| {}).unwrap();
    assert_eq!(outcome.failed, 2);
    assert!(outcome.study.table().text().contains("metrics.jsonl"));
}
