//! A run that is stopped or killed and then resumed ends as if nothing had happened, byte for byte.

mod support;

use std::process::Child;

use support::{Desk, SMALL, TINY, assert_same_run, mixers, signal};

/// Steps of the runs that are killed: enough of them that kills come in the middle.
const STEPS: &str = "train.steps=60";

struct Run {
    config: String,
    sets: Vec<String>,
}

impl Run {
    fn of_mixer(desk: &Desk, mixer: &str) -> Self {
        let config = format!("{mixer}.toml");
        desk.good(&["new", "text.txt", "--mixer", mixer, "--out", &config]);
        let more = [STEPS, "train.accumulation=2", "checkpoint.every=7", "checkpoint.keep=2"];
        Run { config, sets: SMALL.iter().chain(&more).map(|set| (*set).to_owned()).collect() }
    }

    fn arguments<'a>(&'a self, out: &'a str) -> Vec<&'a str> {
        let sets = self.sets.iter().flat_map(|set| ["--set", set.as_str()]);
        ["train", &self.config, "--out", out].into_iter().chain(sets).collect()
    }
}

fn kill(mut child: Child) {
    // The run may have ended by itself on a fast machine: then there is nothing to kill.
    let _ = child.kill();
    child.wait().expect("the killed program");
}

#[test]
fn two_kills_change_nothing_for_any_mixer_at_one_and_two_threads() {
    let mut desk = Desk::new();
    for mixer in mixers(&desk) {
        let run = Run::of_mixer(&desk, &mixer);
        let whole = format!("runs/{mixer}");
        desk.threads = Some(1);
        desk.good(&run.arguments(&whole));
        for threads in [1, 2] {
            desk.threads = Some(threads);
            let killed = format!("runs/{mixer}-{threads}");
            let mut child = desk.start(&run.arguments(&killed));
            desk.wait_for(&mut child, &killed, 17 + threads);
            kill(child);
            let mut child = desk.start(&["resume", &killed]);
            desk.wait_for(&mut child, &killed, 41 - threads);
            kill(child);
            desk.good(&["resume", &killed]);
            assert_same_run(&desk, &whole, &killed);
        }
    }
}

#[test]
fn killed_before_the_first_checkpoint_it_starts_at_the_beginning() {
    let desk = Desk::new();
    let mut run = Run::of_mixer(&desk, "softmax_attention");
    run.sets.push("checkpoint.every=0".into());
    run.sets.push("checkpoint.best=false".into());
    desk.good(&run.arguments("runs/whole"));
    let mut child = desk.start(&run.arguments("runs/killed"));
    desk.wait_for(&mut child, "runs/killed", 5);
    kill(child);
    desk.good(&["resume", "runs/killed"]);
    assert_same_run(&desk, "runs/whole", "runs/killed");
}

#[test]
fn ctrl_c_finishes_the_step_saves_and_says_how_to_go_on() {
    let desk = Desk::new();
    desk.write("run.toml", TINY);
    let long = ["--set", "train.steps=400", "--set", "evaluate.every=100", "--set", "checkpoint.every=100"];
    desk.good(&[&["train", "run.toml", "--out", "runs/whole"][..], &long].concat());
    let mut child = desk.start(&[&["train", "run.toml", "--out", "runs/stopped"][..], &long].concat());
    desk.wait_for(&mut child, "runs/stopped", 20);
    signal(&child, "INT");
    let status = child.wait().unwrap();
    let log = desk.read("log.txt");
    assert_eq!(status.code(), Some(130), "{log}");
    assert!(log.contains("interrupted after step") && log.contains("mixlab resume runs/stopped"), "{log}");
    assert!(desk.logged("runs/stopped") < 400, "it stopped in the middle");
    desk.good(&["resume", "runs/stopped"]);
    assert_same_run(&desk, "runs/whole", "runs/stopped");
}

#[test]
fn a_second_ctrl_c_stops_at_once_and_still_loses_nothing() {
    let desk = Desk::new();
    desk.write("run.toml", TINY);
    // A step of seconds, so that the second signal comes in the middle of it.
    let long = ["--set", "train.steps=20", "--set", "train.accumulation=1000"];
    let mut child = desk.start(&[&["train", "run.toml", "--out", "runs/stopped"][..], &long].concat());
    desk.wait_for(&mut child, "runs/stopped", 1);
    signal(&child, "INT");
    std::thread::sleep(std::time::Duration::from_millis(100));
    signal(&child, "INT");
    assert_eq!(child.wait().expect("an end").code(), Some(130));
    assert!(!desk.read("log.txt").contains("interrupted after"), "it did not wait for the step");
    let mut child = desk.start(&["resume", "runs/stopped"]);
    desk.wait_for(&mut child, "runs/stopped", 2);
    signal(&child, "TERM");
    assert_eq!(child.wait().expect("an end").code(), Some(130), "{}", desk.read("log.txt"));
    assert!(desk.read("log.txt").contains("interrupted after"));
}
