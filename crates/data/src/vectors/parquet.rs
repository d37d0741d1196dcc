//! Apache Parquet: a column of texts and one of vectors.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::column::reader::ColumnReader;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, FloatType};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, RowGroupReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{ColumnPath, SchemaDescriptor};

use super::writer::Sink;
use super::{Rows, VectorError, Vectors};
use crate::DataError;
use crate::read::open_parquet;

const SCHEMA: &str = "message embeddings {
    required binary text (UTF8);
    required group embedding (LIST) { repeated group list { required float element; } }
}";

/// What a file must hold.
const EXPECTED: &str = "a column `embedding` of lists of floating-point numbers";

/// Levels of a list that is there with all its numbers: those that begin a list repeat nothing.
const THERE: i16 = 1;

/// Columns of a file; what is written at once becomes a row group.
pub(super) struct Parquet(SerializedFileWriter<File>);

impl Parquet {
    pub fn new(file: File) -> io::Result<Self> {
        // Numbers of embeddings hardly repeat: neither a dictionary nor compression makes them smaller.
        let embedding = ColumnPath::from(["embedding", "list", "element"].map(str::to_owned).to_vec());
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_column_compression(embedding.clone(), Compression::UNCOMPRESSED)
            .set_column_dictionary_enabled(embedding, false)
            .build();
        let schema = parse_message_type(SCHEMA).map_err(io::Error::other)?;
        let writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties));
        writer.map(Parquet).map_err(io::Error::other)
    }

    fn write_group(&mut self, texts: &[&str], values: &[f32]) -> Result<(), ParquetError> {
        let width = values.len() / texts.len().max(1);
        let bytes: Vec<ByteArray> = texts.iter().map(|&text| ByteArray::from(text)).collect();
        let begins = |i: usize| if i.is_multiple_of(width) { 0 } else { THERE };
        let repetition: Vec<i16> = (0..values.len()).map(begins).collect();
        let definition = vec![THERE; values.len()];
        let mut group = self.0.next_row_group()?;
        if let Some(mut column) = group.next_column()? {
            column.typed::<ByteArrayType>().write_batch(&bytes, None, None)?;
            column.close()?;
        }
        if let Some(mut column) = group.next_column()? {
            let floats = column.typed::<FloatType>();
            floats.write_batch(values, Some(&definition), Some(&repetition))?;
            column.close()?;
        }
        group.close().map(|_| ())
    }
}

impl Sink for Parquet {
    fn write(&mut self, texts: &[&str], values: &[f32]) -> io::Result<()> {
        self.write_group(texts, values).map_err(io::Error::other)
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.0.close().map(|_| ()).map_err(io::Error::other)
    }
}

/// Reads the columns `embedding` and, where there is one, `text`.
pub(super) fn read(path: &Path) -> Result<Vectors, VectorError> {
    let reader = open_parquet(path)?;
    let bad = |source: ParquetError| DataError::Parquet { path: path.to_owned(), source };
    let refused = |found: String| VectorError::NoMatrix { path: path.to_owned(), found, expected: EXPECTED };
    let schema = reader.metadata().file_metadata().schema_descr();
    let find = |name: &str| schema.columns().iter().position(|column| column.path().parts()[0] == name);
    let embedding = find("embedding").filter(|&column| schema.column(column).max_rep_level() == 1);
    let embedding = embedding.ok_or_else(|| refused(format!("the columns {}", names(schema))))?;
    let complete = schema.column(embedding).max_def_level();
    let text = find("text");
    let (mut rows, mut texts) = (Rows::new(path), text.map(|_| Vec::new()));
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group).map_err(bad)?;
        let numbers = read_numbers(&*group, embedding).map_err(bad)?;
        let numbers = numbers.ok_or_else(|| refused("other values under `embedding`".to_owned()))?;
        push_lists(&mut rows, &numbers, complete, &refused)?;
        if let (Some(column), Some(texts)) = (text, &mut texts) {
            let read = read_texts(&*group, column).map_err(bad)?;
            texts.extend(read.ok_or_else(|| refused("other values under `text`".to_owned()))?);
        }
    }
    // A text that is null has left a gap, so texts and rows no longer fit together.
    let texts = texts.filter(|texts| texts.len() == rows.rows);
    Ok(rows.finish(texts))
}

/// The numbers of a row group; nothing if the column holds something else.
fn read_numbers(group: &dyn RowGroupReader, index: usize) -> Result<Option<Column<f32>>, ParquetError> {
    Ok(match group.get_column_reader(index)? {
        ColumnReader::FloatColumnReader(_) => Some(read_column::<FloatType>(group, index)?),
        ColumnReader::DoubleColumnReader(_) => {
            let Column { values, definition, repetition } = read_column::<DoubleType>(group, index)?;
            let values = values.into_iter().map(|value| value as f32).collect();
            Some(Column { values, definition, repetition })
        }
        _ => None,
    })
}

/// The texts of a row group; nothing if the column holds something else.
fn read_texts(group: &dyn RowGroupReader, index: usize) -> Result<Option<Vec<String>>, ParquetError> {
    let ColumnReader::ByteArrayColumnReader(_) = group.get_column_reader(index)? else { return Ok(None) };
    let column = read_column::<ByteArrayType>(group, index)?;
    let text = |value: &ByteArray| String::from_utf8_lossy(value.data()).into_owned();
    Ok(Some(column.values.iter().map(text).collect()))
}

/// Cuts the numbers of a row group into lists.
fn push_lists(
    rows: &mut Rows,
    column: &Column<f32>,
    complete: i16,
    refused: &dyn Fn(String) -> VectorError,
) -> Result<(), VectorError> {
    if let Some(at) = column.definition.iter().position(|&level| level < complete) {
        let row = rows.rows + column.repetition[..=at].iter().filter(|&&level| level == 0).count();
        return Err(refused(format!("a list with a gap in row {row}")));
    }
    let mut start = 0;
    let begins = column.repetition.iter().enumerate().skip(1).filter(|&(_, &level)| level == 0);
    for end in begins.map(|(at, _)| at).chain([column.values.len()]) {
        if end > start {
            rows.push(&column.values[start..end])?;
        }
        start = end;
    }
    Ok(())
}

/// A column of a row group.
struct Column<T> {
    values: Vec<T>,
    definition: Vec<i16>,
    repetition: Vec<i16>,
}

fn read_column<T: DataType>(group: &dyn RowGroupReader, index: usize) -> Result<Column<T::T>, ParquetError> {
    let mut reader = parquet::column::reader::get_typed_column_reader::<T>(group.get_column_reader(index)?);
    let (mut values, mut definition, mut repetition) = (Vec::new(), Vec::new(), Vec::new());
    while reader.read_records(1 << 12, Some(&mut definition), Some(&mut repetition), &mut values)?.0 > 0 {}
    Ok(Column { values, definition, repetition })
}

fn names(schema: &SchemaDescriptor) -> String {
    let fields = schema.root_schema().get_fields();
    fields.iter().map(|field| field.name()).collect::<Vec<_>>().join(", ")
}
