//! From texts to vectors in every format and back to the nearest text, and what a user can get wrong on the way.

mod support;

use std::fs;
use std::path::Path;

use mixlab::data::{Vectors, read_vectors};
use support::Desk;

const RUN: &str = r#"
data = { train = ["pairs.tsv"], evaluate_fraction = 0.2 }
tokenizer.kind = "byte"
objective = { kind = "contrastive", temperature = { kind = "fixed", value = 0.1 } }
model = { width = 16, depth = 1, max_length = 16, mixer = { kind = "softmax_attention", heads = 2 } }
optimizer = { kind = "adamw", learning_rate = 1e-2 }
train = { steps = 10, batch = 6, length = 16 }
"#;

const FORMATS: [&str; 4] = ["jsonl", "npy", "npz", "parquet"];

/// Texts of different lengths, one of them longer than the model takes.
const TEXTS: &str = "a\nten a and b\nb, two\nforty-two is longer than sixteen\ntwo\nä, ö and ü\nthree a\n";

/// A desk with a trained model in `runs/a` and texts to embed.
fn desk() -> Desk {
    let desk = Desk::new();
    let pair = |i: usize| format!("{i} is one\tone is {i}\n");
    desk.write("pairs.tsv", format!("source\ttarget\n{}", (0..20).map(pair).collect::<String>()));
    desk.write("run.toml", RUN);
    desk.write("texts.txt", TEXTS);
    desk.good(&["train", "run.toml", "--out", "runs/a"]);
    desk
}

fn read(desk: &Desk, name: &str) -> Vectors {
    read_vectors(&desk.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn every_format_holds_the_same_vectors_and_a_text_finds_itself() {
    let desk = desk();
    let lines: Vec<&str> = TEXTS.lines().collect();
    for format in FORMATS {
        let out = format!("a.{format}");
        let told = desk.good(&["embed", "runs/a", "texts.txt", "--out", &out]);
        assert_eq!(told.stdout, "", "{format}");
        assert!(told.stderr.contains(&format!("wrote {out}: 7 vectors of 16 numbers")), "{}", told.stderr);
        assert!(
            told.stderr.contains("note: texts longer than 16 tokens lost their ends: 1 of 7\n"),
            "{}",
            told.stderr
        );
        let vectors = read(&desk, &out);
        assert_eq!((vectors.width, vectors.rows()), (16, 7), "{format}");
        assert_eq!(vectors.values, read(&desk, "a.jsonl").values, "{format}");
        if let Some(texts) = vectors.texts {
            assert_eq!(texts, lines, "{format}");
        }
        for (row, line) in lines.iter().enumerate() {
            let json = desk.good(&["search", "runs/a", &out, line, "-k", "2", "--json"]).stdout;
            let found: serde_json::Value = serde_json::from_str(&json).unwrap();
            let first = &found[0]["hits"][0];
            assert_eq!((first["row"].as_u64(), found[0]["hits"][2].is_null()), (Some(row as u64 + 1), true));
            assert!((first["score"].as_f64().unwrap() - 1.0).abs() < 1e-5, "{json}");
            let text = matches!(format, "jsonl" | "parquet").then_some(*line);
            assert_eq!((found[0]["query"].as_str(), first["text"].as_str()), (Some(*line), text), "{json}");
        }
    }
    assert!(names(&desk.path(".")).iter().all(|name| !name.starts_with(".partial")));
}

#[test]
fn batches_files_and_pipes_change_nothing() {
    let desk = desk();
    desk.good(&["embed", "runs/a", "texts.txt", "--out", "a.jsonl"]);
    let expected = read(&desk, "a.jsonl");
    let close = |name: &str| {
        let found = read(&desk, name);
        assert_eq!(found.texts, expected.texts, "{name}");
        for (a, b) in found.values.iter().zip(&expected.values) {
            assert!((a - b).abs() < 1e-5, "{name}: {a} and {b}");
        }
    };
    desk.good(&["embed", "runs/a/model", "texts.txt", "--out", "b.jsonl", "--batch-tokens", "1"]);
    close("b.jsonl");
    desk.write("c.jsonl", desk.with_stdin(&["embed", "runs/a", "-"], TEXTS.as_bytes()).stdout);
    close("c.jsonl");
    let rows = TEXTS.lines().map(|line| format!("{}\n", serde_json::json!({ "id": 1, "body": line })));
    desk.write("rows.jsonl", rows.collect::<String>());
    desk.good(&[
        "embed",
        "runs/a",
        "rows.jsonl",
        "--text-field",
        "body",
        "--out",
        "d.vectors",
        "--format",
        "jsonl",
    ]);
    fs::rename(desk.path("d.vectors"), desk.path("d.jsonl")).unwrap();
    close("d.jsonl");
    // What embed has written can be embedded again.
    desk.good(&["embed", "runs/a", "texts.txt", "--out", "a.parquet"]);
    desk.good(&["embed", "runs/a", "a.parquet", "--out", "e.jsonl"]);
    close("e.jsonl");
}

#[test]
fn queries_come_from_a_pipe_and_texts_from_a_file() {
    let desk = desk();
    desk.good(&["embed", "runs/a", "texts.txt", "--out", "a.npy"]);
    let search = ["search", "runs/a", "a.npy", "-", "-k", "1"];
    assert_eq!(desk.with_stdin(&search, b"two\n").stdout, "1.0000  5\n");
    let several = desk.with_stdin(&[&search[..], &["--texts", "texts.txt"]].concat(), b"two\na\n").stdout;
    assert_eq!(several, "two\n1.0000  5  two\n\na\n1.0000  1  a\n");
    // More than there are is all there are, the best first, and of equal vectors the earlier one.
    desk.write("same.txt", "b\na\nb\na\n");
    let told = desk.good(&["embed", "runs/a", "same.txt", "--out", "same.jsonl"]).stderr;
    assert!(told.contains("repeat earlier ones have rows of their own: 2 of 4"), "{told}");
    let all = desk.good(&["search", "runs/a", "same.jsonl", "a", "-k", "99"]).stdout;
    let rows: Vec<&str> = all.lines().map(|line| line.split_whitespace().nth(1).unwrap()).collect();
    assert_eq!(rows, ["2", "4", "1", "3"], "{all}");
}

/// Embedding fails with code 2 and `words`, and nothing is left.
#[track_caller]
fn refused(desk: &Desk, arguments: &[&str], words: &[&str]) {
    let before = names(&desk.path("."));
    for format in FORMATS {
        desk.bad(2, &[&["embed"], arguments, &["--out", &format!("x.{format}")]].concat(), words);
        assert_eq!(names(&desk.path(".")), before, "{arguments:?}");
    }
    desk.bad(2, &[&["embed"], arguments].concat(), words);
}

#[test]
fn what_cannot_be_embedded_is_named_and_nothing_is_written() {
    let desk = desk();
    desk.write("gap.txt", "a\n\nb\n");
    desk.write("gap.jsonl", "{\"text\": \"a\"}\n{\"text\": \"\"}\n");
    desk.write("blank.jsonl", "{\"text\": \"a\"}\n\n{\"text\": \"b\"}\n");
    desk.write("gap.csv", "id,text\n1,a\n2,\n");
    desk.write("none.txt", "");
    desk.write("latin.txt", b"a\nna\xefve\n");
    desk.write("odd.xyz", "a\n");
    refused(&desk, &["runs/a", "gap.txt"], &["gap.txt, line 2 is empty", "grep"]);
    refused(&desk, &["runs/a", "gap.jsonl"], &["gap.jsonl, record 2: field `text` is empty"]);
    refused(&desk, &["runs/a", "gap.jsonl", "--text-field", "txt"], &["did you mean `--text-field text`?"]);
    refused(&desk, &["runs/a", "blank.jsonl"], &["blank.jsonl, line 2 is empty"]);
    refused(&desk, &["runs/a", "gap.csv"], &["gap.csv, record 2: field `text` is empty"]);
    refused(&desk, &["runs/a", "none.txt"], &["none.txt holds no text"]);
    refused(&desk, &["runs/a", "latin.txt"], &["latin.txt is not UTF-8", "line 2"]);
    refused(&desk, &["runs/a", "odd.xyz"], &["odd.xyz does not tell its format"]);
    refused(&desk, &["runs/a", "absent.txt"], &["absent.txt does not exist"]);
    refused(&desk, &["runs/a", "-"], &["standard input holds no text"]);
    refused(&desk, &["runs/b", "texts.txt"], &["cannot read runs/b"]);
    refused(&desk, &["runs/a", "texts.txt", "--batch-tokens", "0"], &["--batch-tokens is 0"]);

    desk.write("taken.npy", "precious");
    desk.bad(2, &["embed", "runs/a", "texts.txt", "--out", "taken.npy"], &["`taken.npy` exists already"]);
    assert_eq!(desk.read("taken.npy"), "precious");
    desk.bad(2, &["embed", "runs/a", "texts.txt", "--out", "a.csv"], &["a.csv tells no format of vectors"]);
    desk.bad(2, &["embed", "runs/a", "texts.txt", "--format", "npy"], &["--format is npy", "--out"]);
    assert_eq!(desk.run(&["embed", "runs/a", "texts.txt", "--format", "csv"]).code, Some(2));
    desk.bad(3, &["embed", "runs/a", "texts.txt", "--out", "no/a.npy"], &["cannot write no/a.npy"]);
    assert!(!desk.exists("no") && !desk.exists("a.csv"));
}

#[test]
fn a_model_that_gives_no_numbers_is_refused() {
    let desk = desk();
    let mut weights = desk.bytes("runs/a/model/model.safetensors");
    let begin = 8 + u64::from_le_bytes(weights[..8].try_into().unwrap()) as usize;
    weights[begin..].chunks_exact_mut(4).for_each(|value| value.copy_from_slice(&f32::NAN.to_le_bytes()));
    desk.write("runs/a/model/model.safetensors", weights);
    let mut config: serde_json::Value = serde_json::from_str(&desk.read("runs/a/model/config.json")).unwrap();
    config.as_object_mut().unwrap().remove("weights");
    desk.write("runs/a/model/config.json", config.to_string());
    refused(&desk, &["runs/a", "texts.txt"], &["the embedding of text 1 holds NaN"]);
    desk.write("text.toml", support::TINY);
    desk.good(&["train", "text.toml", "--out", "runs/text", "--set", "train.steps=2"]);
    refused(&desk, &["runs/text", "texts.txt"], &["a language model, expected an embedding model"]);
}

#[test]
fn what_cannot_be_searched_is_named() {
    let desk = desk();
    desk.good(&["embed", "runs/a", "texts.txt", "--out", "a.npy"]);
    let search = |arguments: &[&str], words: &[&str]| {
        desk.bad(2, &[&["search", "runs/a"], arguments].concat(), words);
    };
    search(&["a.npy", "two", "-k", "0"], &["-k is 0, expected 1 or more"]);
    search(&["a.npy", " "], &["QUERY is empty"]);
    search(&["a.npy", "-"], &["standard input holds no text"]);
    search(&["b.npy", "two"], &["b.npy does not exist"]);
    search(&["texts.txt", "two"], &["texts.txt tells no format"]);
    desk.write("fewer.txt", "a\nb\n");
    search(&["a.npy", "two", "--texts", "fewer.txt"], &["`fewer.txt` with 2 texts", "7 vectors"]);
    let good = desk.bytes("a.npy");
    desk.write("cut.npy", &good[..good.len() - 5]);
    search(&["cut.npy", "two"], &["cut.npy is not a sound file of vectors"]);
    let mut bad = good.clone();
    let at = good.len() - 4 * 16 * 2;
    bad[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    desk.write("nan.npy", &bad);
    search(&["nan.npy", "two"], &["nan.npy, row 6: the vector holds NaN"]);
    desk.write("wide.jsonl", "{\"embedding\": [1, 2, 3]}\n");
    search(&["wide.jsonl", "two"], &["have 3 numbers, those of the model 16"]);
    search(&["pairs.tsv", "two"], &["pairs.tsv tells no format"]);
}
