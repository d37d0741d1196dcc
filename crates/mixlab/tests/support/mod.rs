//! Drives the real binary in a folder of its own.

#![allow(dead_code, reason = "every test file is its own crate and uses a part of this")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A temporary folder with a text file in it, in which the program is run.
pub struct Desk {
    folder: tempfile::TempDir,
    pub threads: Option<usize>,
}

/// What a run of the program gave.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Real prose of about `bytes` bytes: the start of the novel in `data/`.
pub fn prose(bytes: usize) -> String {
    let novel = include_str!("../../../../data/pride-and-prejudice.txt");
    let end = (bytes..).find(|&end| novel.is_char_boundary(end)).unwrap_or(novel.len());
    novel[..end].to_owned()
}

/// Images of 4 × 4, bright above or bright below, and their labels, as two idx files.
pub fn images(labels: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let header = |magic: u8, sizes: &[u32]| {
        let mut bytes = vec![0, 0, 8, magic];
        sizes.iter().for_each(|size| bytes.extend(size.to_be_bytes()));
        bytes
    };
    let count = labels.len() as u32;
    let (mut pixels, mut classes) = (header(3, &[count, 4, 4]), header(1, &[count]));
    for (i, &label) in labels.iter().enumerate() {
        pixels.extend((0..16u8).map(|p| if (p < 8) == (label == 1) { 200 + i as u8 } else { 3 * i as u8 }));
    }
    classes.extend(labels);
    (pixels, classes)
}

/// Writes [`images`] as `t-images-idx3-ubyte` and their labels beside them.
pub fn write_images(desk: &Desk, labels: &[u8]) {
    let (pixels, classes) = images(labels);
    desk.write("t-images-idx3-ubyte", pixels);
    desk.write("t-labels-idx1-ubyte", classes);
}

impl Desk {
    pub fn new() -> Self {
        let desk = Desk { folder: tempfile::tempdir().expect("a temporary folder"), threads: None };
        desk.write("text.txt", prose(20_000));
        desk
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, content).expect("a written file");
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn exists(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mixlab"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env("NO_COLOR", "1").env("RAYON_NUM_THREADS", self.threads.unwrap_or(1).to_string());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ended {
        Ended::from(self.command(arguments).output().expect("the program starts"))
    }

    /// Runs and expects success.
    #[track_caller]
    pub fn good(&self, arguments: &[&str]) -> Ended {
        let ended = self.run(arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}\n{}", ended.stderr);
        ended
    }

    /// Runs and expects one `error:` line that holds every one of `words`, a hint, and the code.
    #[track_caller]
    pub fn bad(&self, code: i32, arguments: &[&str], words: &[&str]) -> Ended {
        let ended = self.run(arguments);
        assert_eq!(ended.code, Some(code), "{arguments:?}\n{}", ended.stderr);
        assert_eq!(ended.stderr.matches("error: ").count(), 1, "{}", ended.stderr);
        assert!(ended.stderr.contains("\nhint: "), "no hint:\n{}", ended.stderr);
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
        assert_eq!(ended.stdout, "", "errors are not data");
        for word in words {
            assert!(ended.stderr.contains(word), "expected {word:?} in:\n{}", ended.stderr);
        }
        ended
    }

    pub fn with_stdin(&self, arguments: &[&str], input: &[u8]) -> Ended {
        use std::io::Write;
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        child.stdin.take().expect("a pipe").write_all(input).expect("the program reads");
        Ended::from(child.wait_with_output().expect("the program ends"))
    }

    /// Starts in the background, with its messages in `log.txt`.
    pub fn start(&self, arguments: &[&str]) -> Child {
        let log = fs::File::options().create(true).append(true).open(self.path("log.txt")).expect("a log");
        let mut command = self.command(arguments);
        command.stdout(Stdio::null()).stderr(log).spawn().expect("the program starts")
    }

    /// The metrics lines of a run without the fields that depend on the clock.
    pub fn metrics(&self, run: &str) -> Vec<String> {
        let text = self.read(&format!("{run}/metrics.jsonl"));
        text.lines().map(without_clock).collect()
    }

    /// How many complete metrics lines a run has so far.
    pub fn logged(&self, run: &str) -> usize {
        let bytes = fs::read(self.path(&format!("{run}/metrics.jsonl"))).unwrap_or_default();
        bytes.iter().filter(|&&byte| byte == b'\n').count()
    }

    /// Waits until a run has logged `lines` lines, or has ended.
    pub fn wait_for(&self, child: &mut Child, run: &str, lines: usize) {
        let start = Instant::now();
        while self.logged(run) < lines && child.try_wait().expect("a child").is_none() {
            assert!(start.elapsed() < Duration::from_secs(120), "{}", self.read("log.txt"));
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Sends a signal by name, such as `INT`.
pub fn signal(child: &Child, name: &str) {
    let status = Command::new("sh").args(["-c", &format!("kill -{name} {}", child.id())]).status();
    assert!(status.expect("a shell").success());
}

fn without_clock(line: &str) -> String {
    let mut object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    object.remove("seconds");
    object.remove("tokens_per_second");
    serde_json::to_string(&object).expect("JSON")
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Ended {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A file of the run folder, by its name inside.
pub fn inside(run: &str, name: &str) -> String {
    Path::new(run).join(name).display().to_string()
}

/// Asserts that two runs left the same files, up to the clock.
#[track_caller]
pub fn assert_same_run(desk: &Desk, whole: &str, resumed: &str) {
    assert_eq!(
        desk.bytes(&format!("{whole}/model/model.safetensors")),
        desk.bytes(&format!("{resumed}/model/model.safetensors")),
        "final weights of {resumed}"
    );
    assert_eq!(desk.metrics(whole), desk.metrics(resumed), "metrics of {resumed}");
    assert_eq!(desk.read(&format!("{whole}/samples.txt")), desk.read(&format!("{resumed}/samples.txt")));
    let sizes = [whole, resumed].map(|run| desk.bytes(&format!("{run}/events.out.tfevents.0.mixlab")).len());
    assert_eq!(sizes[0], sizes[1], "event files");
}

/// A model of a few thousand parameters on the text of the desk.
pub const TINY: &str = r#"
run.seed = 3

[data]
train = ["text.txt"]

[model]
width = 16
depth = 2
max_length = 32
mixer = { kind = "softmax_attention", heads = 2 }

[schedule]
kind = "linear"
warmup = 2

[train]
steps = 12
batch = 2
length = 32
log_every = 1

[evaluate]
every = 4

[checkpoint]
every = 3

[sample]
every = 6
tokens = 8
"#;

/// What makes the config of `mixlab new` as small as [`TINY`].
pub const SMALL: [&str; 9] = [
    "model.width=16",
    "model.depth=2",
    "model.max_length=32",
    "train.length=32",
    "train.batch=2",
    "train.log_every=1",
    "evaluate.every=20",
    "sample.every=20",
    "sample.tokens=4",
];

/// The token mixers this build knows, by asking it.
pub fn mixers(desk: &Desk) -> Vec<String> {
    mixers_that(desk, |_| true)
}

/// Those of them that a causal model can have.
pub fn causal_mixers(desk: &Desk) -> Vec<String> {
    mixers_that(desk, |part| {
        let promises = part["promises"].as_array().expect("promises");
        promises.iter().any(|promised| promised["direction"] == "causal")
    })
}

fn mixers_that(desk: &Desk, wanted: impl Fn(&serde_json::Value) -> bool) -> Vec<String> {
    let list = desk.good(&["blocks", "list", "--json"]).stdout;
    let parts: Vec<serde_json::Value> = serde_json::from_str(&list).expect("JSON");
    let mixers = parts.iter().filter(|part| part["slot"] == "mixer" && wanted(part));
    mixers.map(|part| part["kind"].as_str().expect("a kind").to_owned()).collect()
}
