//! What every kind of tokenizer promises.

use super::*;
use proptest::prelude::*;
use std::sync::LazyLock;

const PROSE: &str = include_str!("../../../../data/pride-and-prejudice.txt");

fn text() -> Documents {
    Documents::from_iter([&PROSE[..60_000], "你好,世界。\n「敏捷的棕毛狐」 déjà vu 🦊🦊"])
}

fn kinds() -> Vec<TokenizerConfig> {
    let config = VocabularyConfig { vocabulary: 700, ..VocabularyConfig::default() };
    vec![
        TokenizerConfig::Byte,
        TokenizerConfig::Bpe(config.clone()),
        TokenizerConfig::Unigram(config.clone()),
        TokenizerConfig::Wordpiece(config),
    ]
}

static TRAINED: LazyLock<Vec<Tokenizer>> =
    LazyLock::new(|| kinds().iter().map(|kind| Tokenizer::train(kind, &text()).unwrap()).collect());

#[test]
fn ids_follow_the_layout() {
    for tokenizer in TRAINED.iter() {
        assert_eq!(tokenizer.end_of_text(), 256);
        assert_eq!(tokenizer.padding(), 257);
        assert_eq!(tokenizer.mask_token(), Some(258));
        assert_eq!(tokenizer.decode(&[256, 97, 258]), "<|endoftext|>a<|mask|>");
        assert!(tokenizer.is_lossless());
        for byte in 0..128u32 {
            assert_eq!(tokenizer.decode(&[byte]).as_bytes(), [byte as u8]);
        }
    }
    assert_eq!(TRAINED.iter().map(Tokenizer::vocabulary).collect::<Vec<_>>(), [259, 700, 700, 700]);
}

#[test]
fn learned_pieces_shorten_prose() {
    let sizes: Vec<usize> =
        TRAINED.iter().map(|t| t.encode(&PROSE[300_000..310_000]).unwrap().len()).collect();
    assert_eq!(sizes[0], 10_000);
    assert!(sizes[1..].iter().all(|&size| size < 5_000), "{sizes:?}");
}

#[test]
fn text_never_becomes_a_special_token() {
    for tokenizer in TRAINED.iter() {
        let text = "a<|endoftext|>b <|mask|><|pad|>\n<|endoftext|>";
        let ids = tokenizer.encode(text).unwrap();
        assert!(ids.iter().all(|&id| !tokenizer.is_special(id)));
        assert_eq!(tokenizer.decode(&ids), text);
    }
}

#[test]
fn hostile_text_is_encoded_too() {
    let texts = [" ".repeat(300_000), "x".repeat(100_000), "字".repeat(50_000), "-\n".repeat(50_000)];
    for tokenizer in TRAINED.iter() {
        for text in &texts {
            assert!(tokenizer.decode(&tokenizer.encode(text).unwrap()) == *text);
        }
    }
}

#[test]
fn the_file_holds_everything() {
    let folder = tempfile::tempdir().unwrap();
    for tokenizer in TRAINED.iter() {
        let path = folder.path().join("tokenizer.json");
        tokenizer.save(&path).unwrap();
        let loaded = Tokenizer::load(&path).unwrap();
        assert_eq!(loaded.fingerprint(), tokenizer.fingerprint());
        let sample = &PROSE[200_000..203_000];
        assert_eq!(loaded.encode(sample).unwrap(), tokenizer.encode(sample).unwrap());
        assert_eq!(loaded.vocabulary(), tokenizer.vocabulary());
        assert!(loaded.is_lossless());
    }
}

/// Ours is only a faster way: the library gives the same ids, and the same text back.
#[test]
fn the_library_agrees() {
    for tokenizer in TRAINED.iter() {
        let library = Pipeline::from_bytes(tokenizer.json()).unwrap();
        let sample = &PROSE[200_000..230_000];
        let ids = tokenizer.encode(sample).unwrap();
        assert_eq!(library.encode(sample, false).unwrap().get_ids(), ids);
        assert_eq!(library.decode(&ids, false).unwrap(), sample);
    }
}

#[test]
fn cutting_for_parallel_work_does_not_show() {
    let text = &PROSE[..4 * segmentation::CHUNK];
    for tokenizer in TRAINED.iter() {
        let whole = tokenizer.encode_piece(text).unwrap();
        assert!(tokenizer.encode(text).unwrap() == whole);
    }
}

#[test]
fn the_same_text_gives_the_same_file_with_any_number_of_threads() {
    for (kind, trained) in kinds().iter().zip(TRAINED.iter()) {
        for threads in [1, 2, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let again = pool.install(|| Tokenizer::train(kind, &text())).unwrap();
            assert!(again.json() == trained.json(), "{kind:?} with {threads} threads");
        }
    }
}

#[test]
fn words_begin_at_spaces_signs_and_ideographs() {
    let starts = |tokenizer: &Tokenizer, text: &str| -> Vec<(String, bool)> {
        let ids = tokenizer.encode(text).unwrap();
        let flags = tokenizer.word_starts(&ids);
        ids.iter().map(|&id| tokenizer.decode(&[id])).zip(flags).collect()
    };
    let bytes: String =
        starts(&TRAINED[0], "ab, é你").iter().map(|(_, start)| if *start { '|' } else { '.' }).collect();
    assert_eq!(bytes, "|.|||.|..");
    for tokenizer in TRAINED.iter() {
        let words: usize = starts(tokenizer, "walking talking").iter().filter(|(_, start)| *start).count();
        let expected = if tokenizer.vocabulary() == 259 { 3 } else { 2 };
        assert_eq!(words, expected, "{:?}", starts(tokenizer, "walking talking"));
    }
    let special = TRAINED[1].word_starts(&[256, 97, 98, 258, 99]);
    assert_eq!(special, [true, true, false, true, true]);
}

#[test]
fn unusable_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    assert!(matches!(Tokenizer::load(&path), Err(DataError::Missing { .. })));
    let nameless = TRAINED[0].json().replace("<|endoftext|>", "<|start|>");
    let cut = &TRAINED[1].json()[..1000];
    for text in ["", "{}", "not json", cut, nameless.as_str(), "[1, 2]"] {
        std::fs::write(&path, text).unwrap();
        assert!(matches!(Tokenizer::load(&path), Err(DataError::BadTokenizer { .. })), "{text:.40}");
    }
    std::fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(matches!(Tokenizer::load(&path), Err(DataError::BadTokenizer { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn decoding_gives_back_every_text(text in "\\PC{0,60}", wild in any::<String>()) {
        for tokenizer in TRAINED.iter() {
            for text in [&text, &wild] {
                prop_assert_eq!(&tokenizer.decode(&tokenizer.encode(text).unwrap()), text);
            }
        }
    }

    #[test]
    fn streaming_equals_decoding(text in any::<String>(), ids in prop::collection::vec(0u32..710, 0..60)) {
        for tokenizer in TRAINED.iter() {
            for ids in [tokenizer.encode(&text).unwrap(), ids.clone()] {
                let mut stream = tokenizer.stream();
                let mut out: String = ids.iter().map(|&id| stream.push(id)).collect();
                out.push_str(&stream.finish());
                prop_assert_eq!(out, tokenizer.decode(&ids));
            }
        }
    }

    #[test]
    fn a_word_start_is_given_for_each_token(ids in prop::collection::vec(0u32..710, 0..60)) {
        for tokenizer in TRAINED.iter() {
            prop_assert_eq!(tokenizer.word_starts(&ids).len(), ids.len());
        }
    }
}
