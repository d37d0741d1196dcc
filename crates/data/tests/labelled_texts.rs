//! Labelled texts: every format, every mistake, and what is held out.

use std::path::PathBuf;
use std::sync::Arc;

use mixlab_core::Diagnose;
use mixlab_data::{
    AugmentConfig, DataConfig, DataError, LabelledData, LabelledTexts, TextEvaluation, TextTraining,
    Tokenizer, TokenizerConfig, load_labelled,
};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
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

    /// Trains on one file and holds out nothing.
    fn load(&self, name: &str, contents: impl AsRef<[u8]>) -> Result<LabelledTexts, DataError> {
        let train = vec![self.write(name, contents)];
        let config = DataConfig { train, evaluate_fraction: 0.0, ..DataConfig::default() };
        Ok(texts(load_labelled(&config)?).0)
    }

    fn error(&self, name: &str, contents: impl AsRef<[u8]>) -> String {
        told(&self.load(name, contents).unwrap_err(), self)
    }
}

fn texts(data: LabelledData) -> (LabelledTexts, Option<LabelledTexts>) {
    match data {
        LabelledData::Texts { train, evaluate } => (train, evaluate),
        LabelledData::Images { .. } => panic!("these are texts"),
    }
}

/// Message and hint, with the folder of the test left out.
fn told(error: &DataError, files: &Files) -> String {
    let message = format!("{error} | {}", error.hint().unwrap_or_default());
    message.replace(&format!("{}/", files.0.path().display()), "")
}

/// Each text with the name of its class.
fn pairs(set: &LabelledTexts) -> Vec<(&str, &str)> {
    let names = set.labels.iter().map(|&label| set.classes[label as usize].as_str());
    set.texts.iter().zip(names).collect()
}

#[test]
fn sound_files_of_every_format_are_read() {
    let files = Files::new();
    let expected = [("fine film", "good"), ("dull, \"long\"", "bad"), ("again", "good")];
    let jsonl = "{\"label\": \"good\", \"text\": \"fine film\"}\n\n{\"text\": \"dull, \\\"long\\\"\", \
                 \"label\": \"bad\"}\n{\"text\": \"again\", \"label\": \"good\"}\n";
    let csv = "label,id,text\ngood,1,fine film\nbad,2,\"dull, \"\"long\"\"\"\ngood,3,again\n";
    let tsv = "text\tlabel\nfine film\tgood\ndull, \"long\"\tbad\nagain\tgood\n";
    for (name, contents) in [("a.jsonl", jsonl), ("a.csv", csv), ("a.tsv", tsv)] {
        let set = files.load(name, contents).unwrap();
        assert_eq!(pairs(&set), expected, "{name}");
        assert_eq!((set.classes, set.labels), (vec!["bad".to_owned(), "good".to_owned()], vec![1, 0, 1]));
    }
}

#[test]
fn numbers_are_classes_in_their_order() {
    let files = Files::new();
    let set = files.load("a.csv", "text,label\na,10\nb,-1\nc,2\n").unwrap();
    assert_eq!((set.classes, set.labels), (vec!["-1".to_owned(), "2".into(), "10".into()], vec![2, 0, 1]));
    let jsonl = "{\"text\": \"a\", \"label\": 3}\n{\"text\": \"b\", \"label\": \"3\"}\n{\"text\": \"c\", \"label\": 1}";
    assert_eq!(files.load("a.jsonl", jsonl).unwrap().labels, [1, 1, 0]);
    let jsonl = "{\"text\": \"a\", \"label\": true}\n{\"text\": \"b\", \"label\": false}";
    assert_eq!(files.load("a.jsonl", jsonl).unwrap().classes, ["false", "true"]);
}

/// A Parquet file with the label column before the text column.
fn parquet(kind: &str, rows: &[(&str, f64)]) -> Vec<u8> {
    let schema = format!("message m {{ required {kind} label; required binary text (UTF8); }}");
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let mut bytes = Vec::new();
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    if kind == "int64" {
        let labels: Vec<i64> = rows.iter().map(|(_, label)| *label as i64).collect();
        column.typed::<Int64Type>().write_batch(&labels, None, None).unwrap();
    } else {
        let labels: Vec<f64> = rows.iter().map(|(_, label)| *label).collect();
        column.typed::<DoubleType>().write_batch(&labels, None, None).unwrap();
    }
    column.close().unwrap();
    let texts: Vec<ByteArray> = rows.iter().map(|(text, _)| ByteArray::from(*text)).collect();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&texts, None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    bytes
}

#[test]
fn parquet_columns_are_found_by_name() {
    let files = Files::new();
    let set = files.load("a.parquet", parquet("int64", &[("one", 12.0), ("two", 3.0)])).unwrap();
    assert_eq!(pairs(&set), [("one", "12"), ("two", "3")]);
    assert_eq!(set.classes, ["3", "12"]);
    let error = files.error("a.parquet", parquet("double", &[("one", 0.5)]));
    assert!(
        error.starts_with("a.parquet, record 1: field `label` is the value 0.5, not a label | a label is")
    );
    let config = DataConfig {
        train: vec![files.write("b.parquet", parquet("int64", &[("one", 1.0)]))],
        label_field: "lable".to_owned(),
        ..DataConfig::default()
    };
    let error = told(&load_labelled(&config).unwrap_err(), &files);
    assert_eq!(error, "b.parquet, record 0: no field `lable` | did you mean `data.label_field = \"label\"`?");
}

#[test]
fn records_without_a_usable_label_or_text() {
    let files = Files::new();
    let cases = [
        (
            "{\"text\": \"a\", \"label\": 0.5}",
            "a.jsonl, record 1: field `label` is the number 0.5, not a label",
        ),
        ("{\"text\": \"a\", \"label\": null}", "a.jsonl, record 1: field `label` is null, not a label"),
        ("{\"text\": \"a\", \"label\": [1]}", "a.jsonl, record 1: field `label` is an array, not a label"),
        (
            "\n{\"text\": \"a\"}",
            "a.jsonl, record 2: no field `label` | set `data.label_field` to one of: text",
        ),
        ("{\"text\": \"\", \"label\": 1}", "a.jsonl, record 1: field `text` is empty | drop"),
        ("{\"text\": \"a\", \"label\": \"\"}", "a.jsonl, record 1: field `label` is empty | drop"),
        ("{\"text\": 5, \"label\": 1}", "a.jsonl, record 1: field `text` is a number, not text"),
    ];
    for (contents, expected) in cases {
        let error = files.error("a.jsonl", contents);
        assert!(error.starts_with(expected), "{error}");
    }
    assert!(
        files.error("a.csv", "text,label\na,1\n,2\n").starts_with("a.csv, record 2: field `text` is empty")
    );
    assert!(
        files.error("a.csv", "text,class\na,1\n").contains("set `data.label_field` to one of: text, class")
    );
    assert!(files.error("a.csv", "text,label\na\n").starts_with("a.csv, line 2: malformed record"));
    assert!(matches!(files.load("a.csv", "text,label\n"), Err(DataError::Empty { .. })));
}

#[test]
fn a_single_class_and_a_field_for_both_are_refused() {
    let files = Files::new();
    let error = files.error("a.csv", "text,label\na,x\nb,x\n");
    assert!(
        error.starts_with("every training example has the class `x`: there is nothing to tell apart | give")
    );
    let train = vec![files.write("a.csv", "text,label\na,x\nb,y\n")];
    let same = DataConfig { train: train.clone(), label_field: "text".to_owned(), ..DataConfig::default() };
    let error = load_labelled(&same).unwrap_err();
    assert!(matches!(error, DataError::OutOfRange { key: "data.label_field", .. }), "{error}");
    let augment = AugmentConfig { flip: true, ..AugmentConfig::default() };
    let error = load_labelled(&DataConfig { train, augment, ..DataConfig::default() }).unwrap_err();
    assert!(told(&error, &files).starts_with("`data.augment` changes images, but a.csv holds text | remove"));
}

#[test]
fn the_last_of_every_class_are_held_out() {
    let files = Files::new();
    let rows = (0..40).map(|n| format!("text {n},{}\n", if n < 30 { "common" } else { "rare" }));
    let train = vec![files.write("a.csv", format!("text,label\n{}", rows.collect::<String>()))];
    let (train, evaluate) = texts(load_labelled(&DataConfig { train, ..DataConfig::default() }).unwrap());
    let evaluate = evaluate.unwrap();
    let held_out = [("text 27", "common"), ("text 28", "common"), ("text 29", "common"), ("text 39", "rare")];
    assert_eq!(pairs(&evaluate), held_out);
    assert_eq!((train.len(), train.class_counts(), evaluate.class_counts()), (36, vec![27, 9], vec![3, 1]));
}

#[test]
fn evaluation_files_take_the_classes_of_the_training() {
    let files = Files::new();
    let train = files.write("train.csv", "text,label\na,x\nb,y\nc,z\n");
    let with = |name: &str, contents: &str| {
        let evaluate = vec![files.write(name, contents)];
        load_labelled(&DataConfig { train: vec![train.clone()], evaluate, ..DataConfig::default() })
    };
    let (_, evaluate) = texts(with("some.csv", "text,label\nd,z\n").unwrap());
    assert_eq!((evaluate.as_ref().unwrap().classes.len(), evaluate.unwrap().labels), (3, vec![2]));
    let error = told(&with("new.csv", "text,label\nd,x\ne,w\n").unwrap_err(), &files);
    assert_eq!(
        error,
        "`w` is no class of the training data | the classes are x, y, z; add examples of the new one to \
         `data.train`, or leave it out"
    );
}

#[test]
fn a_folder_that_is_trained_on_may_not_hold_what_is_measured_on() {
    let files = Files::new();
    let inside = files.write("a.csv", "text,label\na,x\nb,y\n");
    let train = vec![files.0.path().to_owned()];
    let error = load_labelled(&DataConfig { train, evaluate: vec![inside], ..DataConfig::default() });
    assert!(matches!(error, Err(DataError::Overlap { .. })));
}

#[test]
fn texts_become_rows_for_training_and_evaluation() {
    let files = Files::new();
    let rows = (0..23).map(|n| format!("text number {n},{}\n", n % 3));
    let train = vec![files.write("a.csv", format!("text,label\n{}", rows.collect::<String>()))];
    let config = DataConfig { train, evaluate_fraction: 0.3, ..DataConfig::default() };
    let (train, evaluate) = texts(load_labelled(&config).unwrap());
    let evaluate = evaluate.unwrap();
    let tokenizer = Tokenizer::train(&TokenizerConfig::Byte, &train.texts).unwrap();
    let data = TextEvaluation::new(evaluate.clone(), &tokenizer, 20, 4).unwrap();
    let mut seen = Vec::new();
    for index in 0..data.batches() {
        let batch = data.batch(index);
        assert_eq!((batch.batch, batch.inputs.len(), batch.targets.len()), (4, 80, 12));
        for row in (0..4).filter(|&row| batch.weights[row] > 0.0) {
            let real = batch.padding.as_ref().unwrap()[row * 20..].iter().take_while(|&&real| real).count();
            let text = tokenizer.decode(&batch.inputs[row * 20 + 1..row * 20 + real.min(20)]);
            assert_eq!(batch.inputs[row * 20], tokenizer.end_of_text());
            seen.push((text, batch.labels[row]));
        }
    }
    let expected: Vec<(String, u32)> =
        evaluate.texts.iter().map(str::to_owned).zip(evaluate.labels.iter().copied()).collect();
    assert_eq!(seen, expected);

    let texts = train.len() as u64;
    let training = TextTraining::new(train, &tokenizer, 20, 1, 1, 7).unwrap();
    for epoch in 0..2 {
        let mut inputs: Vec<Vec<u32>> =
            (epoch * texts..(epoch + 1) * texts).map(|step| training.batch(step, 0).inputs).collect();
        inputs.sort();
        inputs.dedup();
        assert_eq!(inputs.len() as u64, texts);
    }
}
