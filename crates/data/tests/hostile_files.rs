//! Every way in which a data file can be wrong, and what the user is told.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mixlab_core::Diagnose;
use mixlab_data::{DataConfig, DataError, Documents, FileFormat, load, read_file};
use parquet::data_type::{ByteArray, ByteArrayType, Int32Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use tempfile::TempDir;

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Files(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, contents).unwrap();
        path
    }

    fn read(&self, name: &str, contents: impl AsRef<[u8]>) -> Result<Documents, DataError> {
        read_file(&self.write(name, contents), &DataConfig::default())
    }

    fn error(&self, name: &str, contents: impl AsRef<[u8]>) -> DataError {
        self.read(name, contents).unwrap_err()
    }
}

/// Message and hint, with the folder of the test left out.
fn told(error: &DataError, files: &Files) -> String {
    let message = format!("{error} | {}", error.hint().unwrap_or_default());
    message.replace(&format!("{}/", files.0.path().display()), "")
}

fn texts(documents: &Documents) -> Vec<&str> {
    documents.iter().collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

fn prose() -> Vec<u8> {
    (0..20_000u32).flat_map(|n| format!("line {}\n", n.wrapping_mul(2_654_435_761)).into_bytes()).collect()
}

#[test]
fn sound_files_of_every_format_are_read() {
    let files = Files::new();
    let expected = vec!["first", "second \"text\"\nof two lines"];
    let jsonl =
        b"{\"text\": \"first\", \"n\": 1}\n\n{\"n\": 2, \"text\": \"second \\\"text\\\"\\nof two lines\"}";
    let csv = b"id,text\n1,first\n2,\"second \"\"text\"\"\nof two lines\"\n";
    assert_eq!(texts(&files.read("a.jsonl", jsonl).unwrap()), expected);
    assert_eq!(texts(&files.read("a.csv", csv).unwrap()), expected);
    assert_eq!(texts(&files.read("a.jsonl.gz", gzip(jsonl)).unwrap()), expected);
    assert_eq!(texts(&files.read("a.csv.zst", zstd(csv)).unwrap()), expected);
    assert_eq!(texts(&files.read("a.tsv", b"text\tid\nhe said \"no\t1\n").unwrap()), ["he said \"no"]);
    assert_eq!(texts(&files.read("a.txt", "\u{feff}déjà\r\n").unwrap()), ["déjà\r\n"]);
    assert_eq!(texts(&files.read("a.txt.gz", [gzip(b"a "), gzip(b"b")].concat()).unwrap()), ["a b"]);
    assert_eq!(texts(&files.read("a.txt.zst", [zstd(b"a "), zstd(b"b")].concat()).unwrap()), ["a b"]);
}

#[test]
fn missing_and_unreadable() {
    let files = Files::new();
    let missing = read_file(&files.0.path().join("a.txt"), &DataConfig::default()).unwrap_err();
    assert!(told(&missing, &files).starts_with("a.txt does not exist | paths are taken"));
    let missing = read_file(&files.0.path().join("a.parquet"), &DataConfig::default()).unwrap_err();
    assert!(matches!(missing, DataError::Missing { .. }));
    assert!(matches!(files.error("book", "text"), DataError::UnknownFormat { .. }));
    std::fs::create_dir(files.0.path().join("folder")).unwrap();
    let config = DataConfig { train: vec![files.0.path().join("folder")], ..DataConfig::default() };
    assert!(matches!(load(&config), Err(DataError::EmptyFolder { .. })));
}

#[test]
fn empty() {
    let files = Files::new();
    for name in ["a.txt", "a.jsonl", "a.csv", "a.tsv", "a.parquet", "a.txt.gz", "a.txt.zst"] {
        assert!(matches!(files.error(name, ""), DataError::Empty { .. }), "{name}");
    }
    assert!(matches!(files.error("a.txt.gz", gzip(b"")), DataError::Empty { .. }));
    assert!(matches!(files.error("a.jsonl", "\n \n"), DataError::Empty { .. }));
    assert!(matches!(files.error("a.csv", "text,id\n"), DataError::Empty { .. }));
    assert!(matches!(files.error("a.jsonl", "{\"text\": \"\"}"), DataError::Empty { .. }));
}

#[test]
fn binary() {
    let files = Files::new();
    let error = files.error("a.txt", b"abc\0def");
    assert!(told(&error, &files).starts_with("a.txt is not text: NUL byte at offset 3 | convert it"));
    assert!(matches!(files.error("a.jsonl.gz", gzip(b"{}\n\0")), DataError::Binary { offset: 3, .. }));
}

#[test]
fn not_utf8() {
    let files = Files::new();
    let error = files.error("a.txt", b"first\nsecond\ncaf\xe9 au lait");
    assert!(told(&error, &files).starts_with("a.txt is not UTF-8: byte 0xe9 at offset 16 (line 3)"));
    assert!(told(&error, &files).contains("WINDOWS-1252"));
    let utf16: Vec<u8> = [0xfeffu16, 97, 98].iter().flat_map(|unit| unit.to_le_bytes()).collect();
    assert!(told(&files.error("a.csv", utf16), &files).contains("`iconv -f UTF-16LE -t UTF-8`"));
}

#[test]
fn truncated_and_corrupt_compression() {
    let files = Files::new();
    for (name, whole) in [("a.txt.gz", gzip(&prose())), ("a.txt.zst", zstd(&prose()))] {
        for keep in [whole.len() / 2, whole.len() - 1, 12] {
            let error = files.error(name, &whole[..keep]);
            assert!(matches!(error, DataError::Truncated { .. }), "{name}, {keep} bytes: {error}");
        }
        assert!(matches!(files.error(name, prose()), DataError::Corrupt { bytes: 0, .. }), "{name}");
    }
    let mut flipped = gzip(&prose());
    let checksum = flipped.len() - 6;
    flipped[checksum] ^= 1;
    assert!(matches!(files.error("a.txt.gz", flipped), DataError::Corrupt { .. }));
}

#[test]
fn broken_json() {
    let files = Files::new();
    let error = files.error("a.jsonl", "{\"text\": \"a\"}\n\n{\"text\": \"b\"\n");
    assert!(told(&error, &files).starts_with("a.jsonl, line 3: not valid JSON"));
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("column 12"), "{source}");
    let list = files.error("a.jsonl", "[\"text\"]");
    assert!(told(&list, &files).starts_with("a.jsonl, line 1: expected a JSON object, found an array"));
    assert!(matches!(
        files.error("a.jsonl", "{\"text\":\"a\"} {\"text\":\"b\"}"),
        DataError::BrokenJson { .. }
    ));
    let deep = format!("{{\"text\": {}", "[".repeat(100_000));
    assert!(matches!(files.error("a.jsonl", deep), DataError::BrokenJson { line: 1, .. }));
}

#[test]
fn missing_and_wrong_fields() {
    let files = Files::new();
    let error = files.error("a.jsonl", "{\"text\": \"a\"}\n{\"texts\": \"b\"}\n");
    let expected = "a.jsonl, record 2: no field `text` | did you mean `data.text_field = \"texts\"`?";
    assert_eq!(told(&error, &files), expected);
    let number = files.error("a.jsonl", "{\"text\": 5}");
    assert!(told(&number, &files).starts_with("a.jsonl, record 1: field `text` is a number, not text"));
    let csv = files.error("a.csv", "id,body\n1,a\n");
    assert!(told(&csv, &files).ends_with("set `data.text_field` to one of: id, body"));
}

#[test]
fn ragged_csv() {
    let files = Files::new();
    let error = files.error("a.csv", "id,text\n1,a\n2,b,c\n");
    assert!(told(&error, &files).starts_with("a.csv, line 3: malformed record"), "{error}");
}

fn parquet_file(schema: &str, write: impl Fn(&mut SerializedFileWriter<&mut Vec<u8>>)) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut bytes = Vec::new();
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, properties).unwrap();
    write(&mut writer);
    writer.close().unwrap();
    bytes
}

fn strings(texts: &[Option<&str>]) -> Vec<u8> {
    let schema = "message m { required int32 id; optional binary text (UTF8); }";
    parquet_file(schema, |writer| {
        let mut group = writer.next_row_group().unwrap();
        let ids: Vec<i32> = (0..texts.len() as i32).collect();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int32Type>().write_batch(&ids, None, None).unwrap();
        column.close().unwrap();
        let values: Vec<ByteArray> = texts.iter().flatten().map(|&text| ByteArray::from(text)).collect();
        let levels: Vec<i16> = texts.iter().map(|text| i16::from(text.is_some())).collect();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
    })
}

#[test]
fn parquet_columns() {
    let files = Files::new();
    let bytes = strings(&[Some("first"), Some("sécond")]);
    assert_eq!(texts(&files.read("a.parquet", &bytes).unwrap()), ["first", "sécond"]);
    let path = files.write("b.parquet", &bytes);
    let of = |field: &str| {
        read_file(&path, &DataConfig { text_field: field.to_owned(), ..DataConfig::default() }).unwrap_err()
    };
    assert!(told(&of("txet"), &files).ends_with("did you mean `data.text_field = \"text\"`?"));
    assert!(told(&of("id"), &files).starts_with("b.parquet, record 1: field `id` is the value 0, not text"));
    let null = files.error("a.parquet", strings(&[Some("first"), None]));
    assert!(told(&null, &files).starts_with("a.parquet, record 2: field `text` is null"));
    assert!(matches!(files.error("a.parquet", strings(&[])), DataError::Empty { .. }));
}

#[test]
fn damaged_parquet_is_an_error_and_never_a_panic() {
    let files = Files::new();
    let words: Vec<String> = (0..2000).map(|n| format!("word {n}")).collect();
    let whole = strings(&words.iter().map(|word| Some(word.as_str())).collect::<Vec<_>>());
    for keep in [1, 4, 12, whole.len() / 2, whole.len() - 1] {
        assert!(matches!(files.error("a.parquet", &whole[..keep]), DataError::Parquet { .. }));
    }
    assert!(matches!(files.error("a.parquet", "plain text, no Parquet"), DataError::Parquet { .. }));
    for position in (0..whole.len()).step_by(whole.len() / 400) {
        let mut flipped = whole.clone();
        flipped[position] ^= 1 << (position % 8);
        // Damage inside the text itself can go unnoticed; what matters is that nothing panics.
        let _ = files.read("a.parquet", flipped);
    }
}

#[test]
fn folders_are_read_in_the_order_of_names() {
    let files = Files::new();
    for (name, text) in [("b.txt", "2"), ("a.txt", "1"), ("c.jsonl", "{\"text\": \"3\"}"), ("notes", "\0")] {
        files.write(name, text);
    }
    let config = |paths: &[&Path]| DataConfig {
        train: paths.iter().map(|&path| path.to_owned()).collect(),
        evaluate_fraction: 0.0,
        ..DataConfig::default()
    };
    assert_eq!(texts(&load(&config(&[files.0.path()])).unwrap().train), ["1", "2", "3"]);
}

#[test]
fn a_stated_format_reads_files_of_any_name() {
    let files = Files::new();
    let path = files.write("dump", "{\"text\": \"a\"}\n");
    let config = DataConfig { format: FileFormat::JsonLines, ..DataConfig::default() };
    assert_eq!(texts(&read_file(&path, &config).unwrap()), ["a"]);
}

#[test]
fn files_to_measure_on_replace_the_fraction() {
    let files = Files::new();
    let config = DataConfig {
        train: vec![files.write("a.txt", "train\n".repeat(10))],
        evaluate: vec![files.write("b.txt", "held out")],
        ..DataConfig::default()
    };
    let split = load(&config).unwrap();
    assert_eq!((split.train.bytes(), texts(&split.evaluate)), (60, vec!["held out"]));
    let split = load(&DataConfig { evaluate: Vec::new(), ..config }).unwrap();
    assert_eq!((split.train.bytes(), split.evaluate.bytes()), (54, 6));
}
