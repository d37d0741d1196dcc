//! Run folders.

use std::fs;

use mixlab_core::config::resolve;
use mixlab_core::{Diagnose, ExitKind};

use super::{go_on, train};
use crate::metrics::{EVENTS, METRICS, SAMPLES};
use crate::{Config, TrainError, checkpoint};

#[test]
fn everything_promised_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    train(dir.path(), &out, &[]).unwrap();
    for name in ["config.toml", "tokenizer.json", METRICS, EVENTS, SAMPLES, "curves.svg", "model/config.json"]
    {
        assert!(out.join(name).is_file(), "{name}");
    }
    let text = fs::read_to_string(out.join("config.toml")).unwrap();
    assert!(text.contains("test.toml") && text.contains("default"), "{text}");
    let again = resolve::<Config>(&[("config.toml".into(), text)], &[]).unwrap();
    assert_eq!(again.value, super::resolved(dir.path(), &[]).value);
    let checkpoints = fs::read_dir(checkpoint::folder(&out)).unwrap().count();
    assert!((2..=3).contains(&checkpoints), "{checkpoints} checkpoints");
}

#[test]
fn metrics_hold_what_the_manual_says() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    train(dir.path(), &out, &[]).unwrap();
    let lines = crate::metrics::read_lines(&out.join(METRICS)).unwrap();
    let steps =
        |split| lines.iter().filter(|line| line.split == split).map(|line| line.step).collect::<Vec<_>>();
    assert_eq!(steps(crate::Split::Train), [2, 4, 6, 8]);
    assert_eq!(steps(crate::Split::Eval), [3, 6, 8]);
    for line in &lines {
        let train = line.split == crate::Split::Train;
        assert!(line.loss.is_some() && line.seconds > 0.0 && line.tokens_per_second > 0.0);
        assert_eq!(line.bits_per_byte.is_some(), !train);
        assert_eq!(line.learning_rate.is_some() && line.grad_norm.is_some(), train);
        if train {
            assert_eq!(line.tokens, line.step * 2 * 2 * 24);
        }
        if let (Some(bits), Some(loss)) = (line.bits_per_byte, line.loss) {
            // One token is one byte here.
            assert!((bits - loss / std::f64::consts::LN_2).abs() < 1e-9);
        }
    }
}

#[test]
fn a_folder_that_is_in_use_is_refused_and_stays() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    train(dir.path(), &out, &["train.steps=1"]).unwrap();
    let before = fs::read(out.join(METRICS)).unwrap();
    let error = train(dir.path(), &out, &[]).unwrap_err();
    assert!(matches!(error, TrainError::FolderInUse { what: "a run", .. }));
    assert!(error.hint().unwrap().contains("resume"));
    assert_eq!(error.exit(), ExitKind::Usage);
    assert_eq!(fs::read(out.join(METRICS)).unwrap(), before);
    let error = train(dir.path(), dir.path(), &[]).unwrap_err();
    assert!(matches!(error, TrainError::FolderInUse { what: "other files", .. }));
}

#[test]
fn a_mistake_in_the_data_leaves_the_folder_free() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    assert!(matches!(train(dir.path(), &out, &["data.train=[\"missing.txt\"]"]), Err(TrainError::Data(_))));
    train(dir.path(), &out, &["train.steps=1"]).unwrap();
}

#[test]
fn resuming_nothing_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(go_on(dir.path()), Err(TrainError::NotARun { .. })));
}

/// A folder where a file has to go makes every save fail, as a full disk would.
#[test]
fn a_failed_save_keeps_the_checkpoints_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, out) = (dir.path().join("whole"), dir.path().join("run"));
    train(dir.path(), &whole, &[]).unwrap();
    fs::create_dir(dir.path().join("elsewhere")).unwrap();
    struct Block<'a>(&'a std::path::Path);
    impl crate::Observer for Block<'_> {
        fn saved(&mut self, step: u64, _: &std::path::Path) {
            if step == 3 {
                fs::write(checkpoint::folder(self.0).join(".partial-step-00000006"), "in the way").unwrap();
            }
        }
    }
    let config = super::resolved(dir.path(), &[]);
    let error = crate::run(&config, &out, &mut Block(&out), &crate::Interrupt::new()).unwrap_err();
    assert!(matches!(error, TrainError::Write { .. }), "{error}");
    assert_eq!(error.exit(), ExitKind::Failed);
    assert_eq!(checkpoint::find(&out).unwrap().good.unwrap().state.step, 3);
    go_on(&out).unwrap();
    super::assert_same_result(&whole, &out, "after a failed save");
}
