//! Twenty kills a run, for every mixer, at one and at two threads: the long form of `kill_resume`.
//!
//! ```text
//! cargo test --release -p mixlab --test kill_study -- --ignored --nocapture
//! ```
//!
//! The instants are drawn at random. Left to chance alone most would fall into an update, so some are drawn
//! among the instants of evaluations and some among those of saves.

mod support;

use std::collections::BTreeMap;
use std::process::Child;
use std::time::{Duration, Instant};

use mixlab_core::{Key, Purpose};
use support::{Desk, assert_same_run, mixers};

const KILLS: u64 = 20;
const STEPS: usize = 40;
const EVALUATE_EVERY: usize = 4;

/// Four micro-batches an update, some tens of milliseconds each; an evaluation takes about as long as an update.
const MODEL: [&str; 13] = [
    "data.evaluate_fraction=0.4",
    "model.width=64",
    "model.depth=4",
    "model.max_length=64",
    "train.steps=40",
    "train.length=64",
    "train.batch=8",
    "train.accumulation=4",
    "train.log_every=1",
    "evaluate.every=4",
    "checkpoint.every=3",
    "checkpoint.keep=2",
    "sample.every=8",
];

/// What the program was at when it was killed, as its folder shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Activity {
    /// One of the micro-batches of an update, or a sample.
    Update,
    Evaluation,
    Save,
}

struct Study<'a> {
    desk: &'a Desk,
    run: String,
}

impl Study<'_> {
    /// The step and split of the last complete line of the log.
    fn last_line(&self) -> Option<(usize, String)> {
        let text = std::fs::read_to_string(self.desk.path(&format!("{}/metrics.jsonl", self.run))).ok()?;
        let line = text.split_inclusive('\n').rfind(|line| line.ends_with('\n'))?;
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        Some((line["step"].as_u64()? as usize, line["split"].as_str()?.to_owned()))
    }

    fn activity(&self) -> Activity {
        let checkpoints = std::fs::read_dir(self.desk.path(&format!("{}/checkpoints", self.run)));
        let names = checkpoints.into_iter().flatten().flatten().map(|entry| entry.file_name());
        if names.into_iter().any(|name| name.to_string_lossy().starts_with(".partial-")) {
            return Activity::Save;
        }
        match self.last_line() {
            Some((step, split)) if split == "train" && step.is_multiple_of(EVALUATE_EVERY) => {
                Activity::Evaluation
            }
            _ => Activity::Update,
        }
    }

    /// How often the program has begun to train, as its messages tell.
    fn sittings(&self) -> usize {
        self.desk.read("log.txt").lines().filter(|line| line.starts_with("training ")).count()
    }

    /// Waits until the program, started for the `sitting`th time, has cut its logs and trains again.
    fn wait_until_it_trains(&self, child: &mut Child, sitting: usize) {
        let start = Instant::now();
        while self.sittings() < sitting {
            assert!(child.try_wait().expect("a child").is_none(), "{}", self.desk.read("log.txt"));
            assert!(start.elapsed() < Duration::from_secs(60), "{}", self.desk.read("log.txt"));
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits for a step and then for an activity; whether the program is still running.
    fn reaches(&self, child: &mut Child, step: usize, activity: Activity) -> bool {
        let start = Instant::now();
        loop {
            if child.try_wait().expect("a child").is_some() {
                return false;
            }
            let there = self.last_line().is_some_and(|(last, _)| last >= step);
            if there && self.activity() == activity {
                return true;
            }
            assert!(start.elapsed() < Duration::from_secs(300), "{}", self.desk.read("log.txt"));
            std::hint::spin_loop();
        }
    }
}

/// Kills and resumes until it has been done twenty times; how often in which activity.
fn kill_twenty_times(
    study: &Study,
    mut child: Child,
    key: Key,
    step_time: Duration,
) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for kill in 0..KILLS {
        let random = key.sample(kill);
        // Spread over the run, in an order that moves forward; the last tenth is left to the final resume.
        let step = (kill as f64 + random.uniform(0)) / KILLS as f64 * 0.9 * STEPS as f64;
        let activity = match kill % 5 {
            1 => Activity::Evaluation,
            3 => Activity::Save,
            _ => Activity::Update,
        };
        study.wait_until_it_trains(&mut child, kill as usize + 1);
        assert!(study.reaches(&mut child, step as usize, activity), "kill {kill}: the run ended too early");
        let wait = match activity {
            Activity::Update => step_time.mul_f64(random.uniform(1)),
            Activity::Evaluation => step_time.mul_f64(0.5 * random.uniform(1)),
            // A save takes a few milliseconds.
            Activity::Save => Duration::from_micros(random.below(1, 2_000)),
        };
        std::thread::sleep(wait);
        child.kill().expect("a running program");
        child.wait().expect("the killed program");
        *counts.entry(format!("{:?}", study.activity())).or_insert(0) += 1;
        child = study.desk.start(&["resume", &study.run]);
    }
    assert!(child.wait().expect("an end").success(), "{}", study.desk.read("log.txt"));
    counts
}

#[test]
#[ignore = "a study of some minutes; `kill_resume` is its short form"]
fn twenty_kills_change_nothing() {
    let mut desk = Desk::new();
    for (number, mixer) in mixers(&desk).into_iter().enumerate() {
        let config = format!("{mixer}.toml");
        desk.good(&["new", "text.txt", "--mixer", &mixer, "--out", &config]);
        let sets = MODEL.iter().flat_map(|set| ["--set", *set]);
        let common: Vec<&str> = ["train", &config].into_iter().chain(sets).collect();
        let whole = format!("runs/{mixer}");
        desk.threads = Some(1);
        let start = Instant::now();
        desk.good(&[&common[..], &["--out", &whole]].concat());
        let step_time = start.elapsed() / STEPS as u32;
        for threads in [1, 2] {
            desk.threads = Some(threads);
            let study = Study { desk: &desk, run: format!("runs/{mixer}-{threads}") };
            desk.write("log.txt", "");
            let child = desk.start(&[&common[..], &["--out", &study.run]].concat());
            let key = Key::root(number as u64).purpose(Purpose::Synthetic).view(threads as u64);
            let counts = kill_twenty_times(&study, child, key, step_time);
            println!(
                "{mixer}, {threads} threads, {:.2} s a step: killed in {counts:?}",
                step_time.as_secs_f64()
            );
            assert_same_run(&desk, &whole, &study.run);
            assert!(counts.len() == 3, "every activity was interrupted: {counts:?}");
        }
    }
}
