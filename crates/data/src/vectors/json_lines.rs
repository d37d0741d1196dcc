//! JSON lines: a text and its vector a line.

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::writer::Sink;
use super::{Rows, VectorError, Vectors};
use crate::read::{open, unreadable};

#[derive(Serialize)]
struct Written<'a> {
    text: &'a str,
    embedding: &'a [f32],
}

#[derive(Deserialize)]
struct Read {
    text: Option<String>,
    embedding: Vec<f32>,
}

/// Writes texts with their vectors, `values` `[texts, width]`, a line each. Numbers have as many digits as it takes to read
/// the same ones back.
///
/// # Errors
/// What `out` refuses.
pub fn write(out: &mut dyn Write, texts: &[&str], values: &[f32]) -> io::Result<()> {
    let width = values.len() / texts.len().max(1);
    for (text, embedding) in texts.iter().zip(values.chunks(width.max(1))) {
        serde_json::to_writer(&mut *out, &Written { text, embedding })?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Lines of a file.
pub(super) struct JsonLines<W>(pub W);

impl<W: Write> Sink for JsonLines<W> {
    fn write(&mut self, texts: &[&str], values: &[f32]) -> io::Result<()> {
        write(&mut self.0, texts, values)
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.0.flush()
    }
}

/// Reads a file; texts are there if every line has one.
pub(super) fn read(path: &Path) -> Result<Vectors, VectorError> {
    let mut reader = BufReader::new(open(path)?);
    let (mut rows, mut texts, mut line) = (Rows::new(path), Some(Vec::new()), Vec::new());
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(|source| unreadable(path, source))? == 0 {
            return Ok(rows.finish(texts));
        }
        let read: Read = serde_json::from_slice(&line).map_err(|source| VectorError::NoVector {
            path: path.to_owned(),
            line: rows.rows + 1,
            source,
        })?;
        rows.push(&read.embedding)?;
        texts = texts.zip(read.text).map(|(mut texts, text)| {
            texts.push(text);
            texts
        });
    }
}
