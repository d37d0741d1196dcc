//! What every kind of tokenizer promises.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;
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
        TokenizerConfig::Wordpiece(config.clone()),
        TokenizerConfig::Character(VocabularyConfig { minimum_count: 1, ..config }),
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
    let sizes: Vec<usize> = TRAINED.iter().map(Tokenizer::vocabulary).collect();
    assert_eq!(sizes[..4], [259, 700, 700, 700]);
    let long: BTreeSet<char> = text()
        .iter()
        .flat_map(|text| text.chars().filter(|c| c.len_utf8() > 1).collect::<Vec<_>>())
        .collect();
    assert_eq!(sizes[4], 259 + long.len(), "little text has few characters");
}

#[test]
fn frequent_characters_are_tokens_and_others_are_spelled() {
    let documents = Documents::from_iter(["天天天地地人é", "天é"]);
    let config =
        |vocabulary| VocabularyConfig { vocabulary, minimum_count: 2, ..VocabularyConfig::default() };
    let trained =
        |vocabulary| Tokenizer::train(&TokenizerConfig::Character(config(vocabulary)), &documents).unwrap();
    let tokenizer = trained(1000);
    // By falling count, and by spelling where counts are equal.
    assert_eq!(tokenizer.encode("天é地a").unwrap(), [259, 260, 261, 97]);
    assert_eq!(tokenizer.encode("人").unwrap(), "人".bytes().map(u32::from).collect::<Vec<_>>());
    assert_eq!(tokenizer.vocabulary(), 262);
    assert_eq!(trained(260).encode("天地").unwrap()[..2], [259, 0xe5]);
}

#[test]
fn learned_pieces_shorten_prose() {
    let sizes: Vec<usize> =
        TRAINED.iter().map(|t| t.encode(&PROSE[300_000..310_000]).unwrap().len()).collect();
    assert_eq!(sizes[0], 10_000);
    assert!(sizes[1..4].iter().all(|&size| size < 5_000), "{sizes:?}");
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
        let long = format!("{}\t{} 字🦊é", "x".repeat(300), "ß".repeat(100));
        for sample in [&PROSE[200_000..230_000], &long] {
            let ids = tokenizer.encode(sample).unwrap();
            assert_eq!(library.encode(sample, false).unwrap().get_ids(), ids);
            assert_eq!(library.decode(&ids, false).unwrap(), sample);
        }
    }
}

#[test]
fn cutting_for_parallel_work_does_not_show() {
    assert!(PROSE.len() > 2 * segmentation::CHUNK);
    for tokenizer in TRAINED.iter() {
        let whole = tokenizer.encode_piece(PROSE, &mut HashMap::new()).unwrap();
        assert!(tokenizer.encode(PROSE).unwrap() == whole);
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
        let letters = tokenizer.encode("walking").unwrap().len() == "walking".len();
        // A space alone is a sign.
        let expected = if letters { 3 } else { 2 };
        assert_eq!(words, expected, "{:?}", starts(tokenizer, "walking talking"));
    }
    let special = TRAINED[1].word_starts(&[256, 97, 98, 258, 99]);
    assert_eq!(special, [true, true, false, true, true]);
}

/// A tokenizer as others write them: normalising, with marks inside words and an unknown token.
const FOREIGN: &str = r###"{
  "version": "1.0", "truncation": null, "padding": {"strategy": {"Fixed": 8}, "direction": "Right",
    "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
  "added_tokens": [
    {"id": 0, "content": "[PAD]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
    {"id": 2, "content": "[SEP]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
    {"id": 3, "content": "[MASK]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
  "normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null,
  "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": false},
  "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
    "vocab": {"[PAD]": 0, "[UNK]": 1, "[SEP]": 2, "[MASK]": 3, "walk": 4, "##ing": 5, "we": 6}}}"###;

#[test]
fn tokenizers_from_elsewhere_are_used_as_they_are() {
    let tokenizer = Tokenizer::from_json(FOREIGN).unwrap();
    assert_eq!(tokenizer.encode("We walking [SEP]").unwrap()[..3], [6, 4, 5]);
    assert!(tokenizer.encode("We [SEP]").unwrap().iter().all(|&id| !tokenizer.is_special(id)));
    assert_eq!((tokenizer.end_of_text(), tokenizer.padding(), tokenizer.mask_token()), (2, 0, Some(3)));
    assert_eq!(tokenizer.word_starts(&[6, 4, 5, 2]), [true, true, false, true]);
    assert!(!tokenizer.is_lossless());
    let ids = [6, 4, 5, 5, 6];
    let mut stream = tokenizer.stream();
    let mut out: String = ids.iter().map(|&id| stream.push(id)).collect();
    out.push_str(&stream.finish());
    assert_eq!((out.as_str(), tokenizer.decode(&ids).as_str()), ("we walkinging we", "we walkinging we"));
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
