//! Where vectors of texts go: a file that appears when it is complete, or JSON lines on standard output.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use mixlab_data::{VectorFormat, VectorWriter, write_json_lines};

use crate::failure::{Failure, ProgramError};

/// The file of a verb that writes vectors.
#[derive(Debug, Args)]
pub struct VectorTarget {
    /// Where the vectors go; JSON lines to standard output if absent
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,

    /// jsonl, npy, npz or parquet; the ending of --out if absent
    #[arg(long, value_name = "FORMAT")]
    format: Option<VectorFormat>,
}

impl VectorTarget {
    /// The file to write with its format; nothing for standard output.
    pub fn check(&self) -> Result<Option<(&Path, VectorFormat)>, Failure> {
        match (&self.out, self.format) {
            (Some(out), _) if out.exists() => Err(ProgramError::Exists { path: out.clone() }.into()),
            (Some(out), Some(format)) => Ok(Some((out, format))),
            (Some(out), None) => Ok(Some((out, VectorFormat::of(out)?))),
            (None, None | Some(VectorFormat::JsonLines)) => Ok(None),
            (None, Some(format)) => Err(ProgramError::Argument {
                argument: "--format",
                found: format.name().to_owned(),
                expected: "jsonl, or a file named with --out".to_owned(),
            }
            .into()),
        }
    }
}

/// Where vectors go.
pub enum VectorOutput {
    File(VectorWriter),
    Stdout,
}

impl VectorOutput {
    pub fn new(target: Option<(&Path, VectorFormat)>, width: usize) -> Result<Self, Failure> {
        Ok(match target {
            Some((path, format)) => VectorOutput::File(VectorWriter::create(path, format, width)?),
            None => VectorOutput::Stdout,
        })
    }

    /// A vector for each text, `values` `[texts, width]`.
    pub fn write(&mut self, texts: &[&str], values: &[f32]) -> Result<(), Failure> {
        match self {
            VectorOutput::File(writer) => Ok(writer.write(texts, values)?),
            VectorOutput::Stdout => {
                let mut stdout = BufWriter::new(io::stdout().lock());
                let written = write_json_lines(&mut stdout, texts, values).and_then(|()| stdout.flush());
                Ok(written.map_err(|source| ProgramError::Stdout { source })?)
            }
        }
    }

    /// Puts a file in its place.
    pub fn finish(self) -> Result<(), Failure> {
        match self {
            VectorOutput::File(writer) => Ok(writer.commit()?),
            VectorOutput::Stdout => Ok(()),
        }
    }
}
