//! The same text gives the same tokenizer in every process: hash maps are keyed afresh in each one.

use std::process::Command;

use mixlab_data::{Documents, Tokenizer, TokenizerConfig, VocabularyConfig};

const CHILD: &str = "MIXLAB_TEST_TOKENIZER_CHILD";

fn fingerprints() -> Vec<String> {
    let prose = include_str!("../../../data/pride-and-prejudice.txt");
    let documents = Documents::from_iter([&prose[..100_000]]);
    let config = VocabularyConfig { vocabulary: 900, ..VocabularyConfig::default() };
    let kinds = [
        TokenizerConfig::Byte,
        TokenizerConfig::Bpe(config.clone()),
        TokenizerConfig::Unigram(config.clone()),
        TokenizerConfig::Wordpiece(config),
    ];
    kinds.iter().map(|kind| Tokenizer::train(kind, &documents).unwrap().fingerprint()).collect()
}

#[test]
fn training_is_the_same_in_every_process_and_with_every_thread_count() {
    let mine = fingerprints();
    if std::env::var_os(CHILD).is_some() {
        println!("fingerprints {}", mine.join(","));
        return;
    }
    for threads in ["1", "2", "3"] {
        let name = "training_is_the_same_in_every_process_and_with_every_thread_count";
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(CHILD, "1")
            .env("RAYON_NUM_THREADS", threads)
            .output()
            .unwrap();
        let output = String::from_utf8(child.stdout).unwrap();
        assert!(output.contains(&format!("fingerprints {}", mine.join(","))), "{threads} threads: {output}");
    }
}
