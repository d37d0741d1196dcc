//! Whatever a user can get wrong: the error names it, a hint follows, and nothing is lost.

mod support;

use std::fs;
use std::os::unix::process::CommandExt;

use support::{Desk, Ended, TINY};

/// A desk with `run.toml` and, in `runs/a`, a finished run of it.
fn trained() -> Desk {
    let desk = configured();
    desk.good(&["train", "run.toml", "--out", "runs/a"]);
    desk
}

fn configured() -> Desk {
    let desk = Desk::new();
    desk.write("run.toml", TINY);
    desk
}

/// Training with one override fails with code 2, says `words`, and leaves no run folder behind.
#[track_caller]
fn refused(desk: &Desk, set: &str, words: &[&str]) {
    desk.bad(2, &["train", "run.toml", "--out", "runs/refused", "--set", set], words);
    assert!(!desk.exists("runs/refused"), "a refused run leaves nothing");
}

#[test]
fn config_mistakes_are_refused_before_anything_is_written() {
    let desk = configured();
    refused(&desk, "model.mixr.kind=gau", &["unknown key `model.mixr`", "did you mean `model.mixer`"]);
    refused(&desk, "train.step=3", &["unknown key `train.step`", "did you mean `train.steps`"]);
    refused(&desk, "steps=3", &["did you mean `train.steps`"]);
    refused(&desk, "train.steps=many", &["`train.steps`", "integer", "many"]);
    refused(&desk, "model.mixer.kind=gua", &["gua", "did you mean `gau`"]);
    refused(&desk, "train.steps=0", &["`train.steps` is 0", "at least 1"]);
    refused(&desk, "model.dropout.branch=1.5", &["`model.dropout.branch` is 1.5"]);
    refused(&desk, "optimizer.learning_rate=-1.0", &["`optimizer.learning_rate`"]);
    refused(&desk, "model.mixer.heads=3", &["`model.mixer.heads` = 3", "does not divide", "16"]);
    refused(&desk, "train.length=64", &["train.length = 64", "model.max_length = 32"]);
    refused(&desk, "train.steps", &["there is no `=`"]);
    refused(&desk, "run.device=gpu", &["`run.device`", "gpu", "cpu"]);
}

#[test]
fn a_broken_config_file_is_shown_with_its_place() {
    let desk = configured();
    desk.write("broken.toml", "[train]\nsteps 3\n");
    desk.bad(2, &["train", "broken.toml"], &["broken.toml line 2, column 7", "2 | steps 3", "^"]);
    desk.bad(2, &["train", "absent.toml"], &["cannot read `absent.toml`"]);
    desk.write("latin.toml", b"# caf\xe9\n");
    desk.bad(2, &["train", "latin.toml"], &["`latin.toml` is not UTF-8", "byte 5"]);
    desk.bad(2, &["train", "."], &["cannot read `.`"]);
    assert!(!desk.exists("runs"));
}

#[test]
fn unusable_data_is_named_with_its_place() {
    let desk = configured();
    let gzip = {
        // A gzip stream that ends after its header and a few bytes of data.
        let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
        bytes.extend([0x4b, 0x4c]);
        bytes
    };
    desk.write("empty.txt", "");
    desk.write("binary.txt", b"text\0text");
    desk.write("latin.txt", b"na\xefve\n".repeat(100));
    desk.write("cut.txt.gz", gzip);
    desk.write("short.txt", "Too short.");
    desk.write("odd.xyz", "text");
    desk.write("bad.jsonl", "{\"text\": \"a\"}\n{\"text\": 3}\n");
    for (file, words) in [
        ("absent.txt", &["absent.txt"][..]),
        ("empty.txt", &["empty.txt"]),
        ("binary.txt", &["binary.txt", "offset 4"]),
        ("latin.txt", &["latin.txt", "UTF-8", "offset 2"]),
        ("cut.txt.gz", &["cut.txt.gz", "gzip"]),
        ("short.txt", &["tokens", "32"]),
        ("odd.xyz", &["odd.xyz", "format"]),
        ("bad.jsonl", &["bad.jsonl", "record 2"]),
    ] {
        refused(&desk, &format!("data.train=[\"{file}\"]"), words);
    }
    refused(&desk, "data.train=[]", &["data.train"]);
    refused(&desk, "data.evaluate=[\"text.txt\"]", &["data.evaluate"]);
    for file in ["absent.txt", "empty.txt", "binary.txt"] {
        desk.bad(2, &["new", file], &[file]);
    }
}

#[test]
fn a_folder_with_another_run_is_left_alone() {
    let desk = trained();
    let before = desk.bytes("runs/a/metrics.jsonl");
    desk.bad(2, &["train", "run.toml", "--out", "runs/a"], &["runs/a", "already holds a run", "resume"]);
    assert_eq!(desk.bytes("runs/a/metrics.jsonl"), before);
    desk.write("full/notes.txt", "mine");
    desk.bad(2, &["train", "run.toml", "--out", "full"], &["full", "already holds"]);
    assert_eq!(desk.read("full/notes.txt"), "mine");
    desk.bad(2, &["resume", "full"], &["full", "does not hold a run"]);
    desk.bad(2, &["resume", "absent"], &["absent"]);
}

#[test]
fn files_that_exist_are_not_overwritten() {
    let desk = configured();
    desk.bad(2, &["new", "text.txt", "--out", "run.toml"], &["`run.toml` exists already"]);
    assert_eq!(desk.read("run.toml"), TINY);
    desk.write("tokenizer.json", "precious");
    desk.bad(2, &["tokenizer", "train", "text.txt"], &["`tokenizer.json` exists already"]);
    assert_eq!(desk.read("tokenizer.json"), "precious");
}

#[test]
fn a_tokenizer_of_another_model_is_refused() {
    let desk = trained();
    desk.good(&["tokenizer", "train", "text.txt", "--vocabulary", "300", "--out", "other.json"]);
    fs::copy(desk.path("other.json"), desk.path("runs/a/model/tokenizer.json")).unwrap();
    desk.bad(2, &["generate", "runs/a", "It"], &["tokenizer", "do not belong together"]);
    desk.write("runs/a/model/tokenizer.json", "{");
    desk.bad(2, &["eval", "runs/a"], &["tokenizer.json"]);
}

#[test]
fn damaged_weights_are_refused_in_every_way() {
    let desk = trained();
    let file = "runs/a/model/model.safetensors";
    let good = desk.bytes(file);
    let header = u64::from_le_bytes(good[..8].try_into().unwrap()) as usize;
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let mut lying_length = good.clone();
    lying_length[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    let mut lying_header = good.clone();
    let digit = (8..8 + header).rev().find(|&i| good[i].is_ascii_digit()).unwrap();
    lying_header[digit] = if good[digit] == b'9' { b'8' } else { good[digit] + 1 };
    for damaged in [&good[..good.len() - 3], &good[..5], &[], &flipped, &lying_length, &lying_header] {
        desk.write(file, damaged);
        desk.bad(2, &["generate", "runs/a", "It"], &["model.safetensors"]);
    }
    desk.write(file, &good);
    desk.good(&["generate", "runs/a", "It", "--tokens", "2"]);
}

#[test]
fn a_damaged_checkpoint_is_named_and_the_one_before_it_is_used() {
    let whole = trained();
    let desk = configured();
    desk.good(&["train", "run.toml", "--out", "runs/a"]);
    fs::remove_dir_all(desk.path("runs/a/model")).unwrap();
    let mut steps: Vec<String> = fs::read_dir(desk.path("runs/a/checkpoints"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    steps.sort();
    let (last, before) = (&steps[steps.len() - 1], &steps[steps.len() - 2]);
    let weights = format!("runs/a/checkpoints/{last}/optimizer.safetensors");
    let mut bytes = desk.bytes(&weights);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    desk.write(&weights, bytes);
    let ended = desk.good(&["resume", "runs/a"]);
    assert!(
        ended.stderr.contains(last.as_str()) && ended.stderr.contains(before.as_str()),
        "{}",
        ended.stderr
    );
    assert_eq!(desk.bytes("runs/a/model/model.safetensors"), whole.bytes("runs/a/model/model.safetensors"));
    assert_eq!(desk.metrics("runs/a"), whole.metrics("runs/a"));
}

#[test]
fn a_write_that_fails_ends_the_run_and_loses_nothing() {
    let desk = configured();
    // A limit on file sizes refuses large writes as a full disk does; small files still fit.
    let program = desk.command(&[]);
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 16; exec \"$0\" train run.toml --out runs/a"]);
    command.arg(program.get_program()).current_dir(desk.path(".")).env("RAYON_NUM_THREADS", "1");
    let ended = Ended::from(command.process_group(0).output().unwrap());
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stderr.contains("error: cannot write"), "{}", ended.stderr);
    assert!(ended.stderr.contains("hint: "), "{}", ended.stderr);
    desk.good(&["resume", "runs/a"]);
    let whole = trained();
    assert_eq!(desk.bytes("runs/a/model/model.safetensors"), whole.bytes("runs/a/model/model.safetensors"));
}

#[test]
fn a_folder_that_cannot_be_made_fails_at_once() {
    let desk = configured();
    desk.bad(3, &["train", "run.toml", "--out", "text.txt/run"], &["cannot write text.txt/run"]);
}

#[test]
fn arguments_out_of_range_are_named() {
    let desk = trained();
    desk.bad(2, &["generate", "runs/a", "--temperature", "-1"], &["--temperature", "-1"]);
    desk.bad(2, &["generate", "runs/a", "--top-p", "0"], &["--top-p"]);
    desk.bad(2, &["generate", "absent"], &["absent"]);
    desk.bad(2, &["eval", "runs/a", "--stride", "0"], &["stride"]);
    desk.bad(2, &["eval", "runs/a/model"], &["no text to measure"]);
    desk.bad(2, &["tokenizer", "decode", "runs/a", "999999"], &["999999", "below"]);
    desk.bad(2, &["tokenizer", "train", "text.txt", "--kind", "bpee"], &["bpee", "did you mean `bpe`"]);
    desk.bad(2, &["config", "explain", "train.step"], &["train.step", "did you mean `train.steps`"]);
    desk.bad(2, &["new", "text.txt", "--mixer", "gua"], &["--mixer", "gua", "flash"]);
}

#[test]
fn what_cannot_be_audited_is_named() {
    let desk = configured();
    desk.write("notes/notes.txt", "no model");
    desk.bad(2, &["audit", "absent.toml"], &["cannot read `absent.toml`"]);
    desk.bad(2, &["audit", "notes"], &["notes does not hold a run"]);
    desk.bad(2, &["audit", "notes/notes.txt"], &["notes/notes.txt line 1"]);
    desk.bad(2, &["audit", "run.toml", "notes"], &["cannot read `notes`"]);
    desk.bad(2, &["audit", "notes", "--set", "run.seed=2"], &["--set", "run.seed=2", "audited as it is"]);
    let set = |set: &'static str, words: &[&str]| desk.bad(2, &["audit", "run.toml", "--set", set], words);
    set("model.mixer.heads=3", &["`model.mixer.heads` = 3", "does not divide"]);
    set("objective.kind=masked", &["objective.kind", "masked_lm"]);
    for lengths in ["0", "1-65537", "3-1", "two", "4,,5"] {
        desk.bad(2, &["audit", "run.toml", "--lengths", lengths], &["--lengths", lengths, "1 to 65536"]);
    }
    let learned = "model.position.kind=learned";
    desk.bad(
        2,
        &["audit", "run.toml", "--set", learned, "--lengths", "30-33"],
        &["33", "exceeds 32", "position"],
    );
    assert_eq!(desk.run(&["audit"]).code, Some(2));
    assert_eq!(desk.run(&["audit", "run.toml", "--mixers"]).code, Some(2));
    assert_eq!(desk.run(&["audit", "run.toml", "--markdown"]).code, Some(2));
}
