//! A run that was interrupted anywhere ends as one that was not.

use std::fs;
use std::path::Path;

use super::{assert_same_result, go_on, resolved, train};
use crate::metrics::{EVENTS, MetricsLine, SAMPLES};
use crate::{Interrupt, Observer, Outcome, Progress, TrainError, checkpoint, resume, run};

/// Requests a stop after a number of updates.
struct StopAfter<'a> {
    step: u64,
    interrupt: &'a Interrupt,
}

impl Observer for StopAfter<'_> {
    fn updated(&mut self, progress: &Progress) {
        if progress.step == self.step {
            self.interrupt.request();
        }
    }
}

fn interrupted_at(folder: &Path, out: &Path, step: u64) -> Outcome {
    let interrupt = Interrupt::new();
    let mut observer = StopAfter { step, interrupt: &interrupt };
    run(&resolved(folder, &[]), out, &mut observer, &interrupt).unwrap()
}

#[test]
fn an_interrupt_at_every_step_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole");
    train(dir.path(), &whole, &[]).unwrap();
    for step in 1..8 {
        let out = dir.path().join(format!("stopped-{step}"));
        let Outcome::Interrupted { step: at, checkpoint: Some(saved) } =
            interrupted_at(dir.path(), &out, step)
        else {
            panic!("not interrupted")
        };
        assert_eq!((at, saved), (step, checkpoint::path(&out, step)));
        assert!(matches!(go_on(&out).unwrap(), Outcome::Finished(_)));
        assert_same_result(&whole, &out, &format!("stopped at {step}"));
    }
}

/// Dies inside an update, an evaluation line or a sample, as by a signal that cannot be caught.
struct DieAt {
    events: u32,
}

impl DieAt {
    fn event(&mut self) {
        self.events -= 1;
        assert!(self.events > 0, "killed");
    }
}

impl Observer for DieAt {
    fn updated(&mut self, _: &Progress) {
        self.event();
    }

    fn measured(&mut self, _: &MetricsLine) {
        self.event();
    }

    fn sampled(&mut self, _: u64, _: &str) {
        self.event();
    }

    fn saved(&mut self, _: u64, _: &Path) {
        self.event();
    }
}

#[test]
fn a_death_between_checkpoints_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole");
    train(dir.path(), &whole, &[]).unwrap();
    for events in 1..24 {
        let out = dir.path().join(format!("killed-{events}"));
        let config = resolved(dir.path(), &[]);
        let died = std::panic::catch_unwind(|| {
            let _ = run(&config, &out, &mut DieAt { events }, &Interrupt::new());
        });
        if died.is_ok() {
            assert!(events > 15, "only {events} events in a run");
            break;
        }
        assert!(matches!(go_on(&out).unwrap(), Outcome::Finished(_)));
        assert_same_result(&whole, &out, &format!("killed at event {events}"));
    }
}

#[test]
fn killed_before_the_first_checkpoint_it_starts_over() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, out) = (dir.path().join("whole"), dir.path().join("out"));
    train(dir.path(), &whole, &[]).unwrap();
    interrupted_at(dir.path(), &out, 2);
    fs::remove_dir_all(checkpoint::path(&out, 2)).unwrap();
    fs::create_dir(checkpoint::folder(&out).join(".partial-step-00000003")).unwrap();
    go_on(&out).unwrap();
    assert_same_result(&whole, &out, "from the beginning");
    assert!(!checkpoint::folder(&out).join(".partial-step-00000003").exists());
}

#[test]
fn a_damaged_checkpoint_is_passed_over_and_named() {
    #[derive(Default)]
    struct Notices(Vec<String>);
    impl Observer for Notices {
        fn notice(&mut self, message: &str) {
            self.0.push(message.to_owned());
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let (whole, out) = (dir.path().join("whole"), dir.path().join("out"));
    train(dir.path(), &whole, &[]).unwrap();
    interrupted_at(dir.path(), &out, 5);
    let weights = checkpoint::path(&out, 5).join("model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&weights, bytes).unwrap();
    let mut notices = Notices::default();
    resume(&out, &mut notices, &Interrupt::new()).unwrap();
    assert!(notices.0[0].contains("step-00000005") && notices.0[0].contains("hash"), "{:?}", notices.0);
    assert!(notices.0[1].contains("step-00000003"), "{:?}", notices.0);
    assert_same_result(&whole, &out, "from the checkpoint before");
}

#[test]
fn logs_written_after_the_checkpoint_are_cut() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, out) = (dir.path().join("whole"), dir.path().join("out"));
    train(dir.path(), &whole, &[]).unwrap();
    interrupted_at(dir.path(), &out, 5);
    let events = fs::read(out.join(EVENTS)).unwrap();
    for log in ["metrics.jsonl", SAMPLES, EVENTS] {
        let mut bytes = fs::read(out.join(log)).unwrap();
        bytes.extend(b"{\"half a li");
        fs::write(out.join(log), bytes).unwrap();
    }
    go_on(&out).unwrap();
    assert_same_result(&whole, &out, "with half a line");
    assert!(fs::read(out.join(EVENTS)).unwrap().starts_with(&events));
    let length = |out: &Path| fs::metadata(out.join(EVENTS)).unwrap().len();
    assert_eq!(length(&whole), length(&out));
}

#[test]
fn a_log_that_lost_lines_and_data_that_changed_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    interrupted_at(dir.path(), &out, 5);
    let metrics = fs::read(out.join("metrics.jsonl")).unwrap();
    fs::write(out.join("metrics.jsonl"), b"").unwrap();
    assert!(matches!(go_on(&out), Err(TrainError::LogTooShort { .. })));
    fs::write(out.join("metrics.jsonl"), metrics).unwrap();
    let text = dir.path().join("text.txt");
    fs::write(&text, fs::read_to_string(&text).unwrap().replace("cat", "dog")).unwrap();
    assert!(matches!(go_on(&out), Err(TrainError::DataChanged { .. })));
}

#[test]
fn a_finished_run_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, out) = (dir.path().join("whole"), dir.path().join("out"));
    let summary = train(dir.path(), &whole, &[]).unwrap();
    train(dir.path(), &out, &[]).unwrap();
    fs::remove_dir_all(out.join("model")).unwrap();
    let Outcome::Finished(again) = go_on(&out).unwrap() else { panic!("not finished") };
    let Outcome::Finished(summary) = summary else { panic!("not finished") };
    assert_eq!(
        (again.steps, again.best, again.model_step),
        (summary.steps, summary.best, summary.model_step)
    );
    assert_same_result(&whole, &out, "finished twice");
}

#[test]
fn early_stopping_ends_the_run_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    // The rate is far too high to get better after the first steps.
    let sets = ["optimizer.learning_rate=3", "evaluate.every=1", "evaluate.patience=2", "train.steps=60"];
    let Outcome::Finished(summary) = train(dir.path(), &out, &sets).unwrap() else { panic!("interrupted") };
    assert!(summary.steps < 60, "{summary:?}");
    assert_eq!(summary.model_step, summary.best.unwrap().step);
    let Outcome::Finished(again) = go_on(&out).unwrap() else { panic!("interrupted") };
    assert_eq!(again.steps, summary.steps);
}
