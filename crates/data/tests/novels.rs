//! The shipped novels, the way the shipped configs use them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mixlab_data::{
    BatchOptions, Corpus, DataConfig, EvaluationData, EvaluationOptions, Tokenizer, TokenizerConfig,
    TrainingData, VocabularyConfig, load,
};

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data").join(name)
}

fn bpe(vocabulary: usize) -> TokenizerConfig {
    TokenizerConfig::Bpe(VocabularyConfig { vocabulary, ..VocabularyConfig::default() })
}

#[test]
fn the_quick_start_learns_its_pieces_from_the_training_part_in_seconds() {
    let started = Instant::now();
    let config = DataConfig { train: vec![shipped("pride-and-prejudice.txt")], ..DataConfig::default() };
    let text = load(&config).unwrap();
    assert_eq!(text.train.bytes() + text.evaluate.bytes(), 684_768);
    assert!((68_477..68_477 + 80).contains(&text.evaluate.bytes()), "cut at a line start");
    let tokenizer = Tokenizer::train(&bpe(1000), &text.train).unwrap();
    assert_eq!(tokenizer.vocabulary(), 1000);
    let train = Corpus::encode(&tokenizer, &text.train).unwrap();
    let held_out = Corpus::encode(&tokenizer, &text.evaluate).unwrap();
    let spelled = tokenizer.decode(held_out.document(0));
    assert_eq!(spelled, text.evaluate.iter().collect::<String>());
    let bytes_per_token = held_out.bytes() as f64 / held_out.tokens() as f64;
    assert!(bytes_per_token > 2.6, "{bytes_per_token}");
    let data = TrainingData::new(train, &tokenizer, BatchOptions::default(), 1).unwrap();
    assert_eq!(data.batch(1000, 0).segments, None);
    let evaluation = EvaluationData::new(held_out, &tokenizer, EvaluationOptions::default()).unwrap();
    let scored: f64 = (0..evaluation.batches()).map(|index| evaluation.batch(index).total_weight()).sum();
    assert_eq!(scored, evaluation.tokens() as f64);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn four_novels_train_and_two_are_never_seen() {
    let novels = |names: &[&str]| names.iter().map(|name| shipped(name)).collect();
    let config = DataConfig {
        train: novels(&[
            "pride-and-prejudice.txt",
            "austen/emma.txt.gz",
            "austen/mansfield-park.txt.gz",
            "austen/sense-and-sensibility.txt.gz",
        ]),
        evaluate: novels(&["austen/northanger-abbey.txt.gz", "austen/persuasion.txt.gz"]),
        ..DataConfig::default()
    };
    let text = load(&config).unwrap();
    assert_eq!((text.train.len(), text.train.bytes()), (4, 684_768 + 883_028 + 883_280 + 673_688));
    assert_eq!((text.evaluate.len(), text.evaluate.bytes()), (2, 432_978 + 466_854));
    let starts: Vec<&str> = text.evaluate.iter().map(|novel| novel.lines().next().unwrap()).collect();
    assert_eq!(starts, ["NORTHANGER ABBEY", "Persuasion"]);
}
