//! `mixlab search`: the embedded texts that are nearest to a query.

use std::path::{Path, PathBuf};

use clap::Args;
use mixlab_data::{Texts, read_vectors};
use mixlab_train::{EmbedderFolder, Hit, ModelFolder, TextEmbedder, nearest};
use serde::Serialize;

use super::embed::{open_texts, tell_cut};
use crate::arguments::DeviceOption;
use crate::failure::{Exit, Failure, ProgramError};
use crate::output::{columns, print, print_json};

/// Find the embedded texts that are nearest to a query
///
/// Compares the query with every vector of a file that `mixlab embed` wrote with
/// the same model, and prints the greatest scalar products with the rows, counted
/// from 1, and their texts. Of equal ones the earlier row comes first.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  mixlab search runs/pairs sentences.jsonl \"a single man\" -k 3
  mixlab search runs/pairs sentences.npy - --texts sentences.txt < queries.txt")]
pub struct Search {
    /// A run folder or a model folder
    model: PathBuf,

    /// Vectors in a .jsonl, .npy, .npz or .parquet file
    embedded: PathBuf,

    /// What to look for; - reads a query a line from standard input
    query: String,

    /// How many texts to find for a query
    #[arg(short, value_name = "K", default_value_t = 10)]
    k: usize,

    /// Texts of the vectors, for .npy and .npz files, which hold none
    #[arg(long, value_name = "FILE")]
    texts: Option<PathBuf>,

    /// Field or column of the text in the file of --texts
    #[arg(long, value_name = "NAME", default_value = "text")]
    text_field: String,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    device: DeviceOption,
}

/// What was found for a query.
#[derive(Serialize)]
struct Answer<'a> {
    query: &'a str,
    hits: Vec<Found<'a>>,
}

#[derive(Serialize)]
struct Found<'a> {
    score: f64,
    /// Counted from 1.
    row: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
}

impl Search {
    pub fn run(self) -> Result<Exit, Failure> {
        ProgramError::check_least("-k", self.k, 1)?;
        let queries = self.queries()?;
        let device = self.device.open();
        let folder = EmbedderFolder::load(&ModelFolder::locate(&self.model)?, &device)?;
        let mut vectors = read_vectors(&self.embedded)?;
        let (found, expected) = (vectors.width, folder.width());
        if found != expected {
            return Err(ProgramError::Width { path: self.embedded.clone(), found, expected }.into());
        }
        if let Some(path) = &self.texts {
            vectors.texts = Some(self.read_texts(path, vectors.rows())?);
        }
        let mut embedder = TextEmbedder::new(&folder, &device, TextEmbedder::BATCH_TOKENS)?;
        let texts: Vec<&str> = queries.iter().map(String::as_str).collect();
        // The vectors of the file are rounded to single precision, so these are too.
        let embedded: Vec<f32> = embedder.embed(&texts)?.into_iter().map(|value| value as f32).collect();
        tell_cut(&embedder);
        let found = nearest(&vectors.values, vectors.width, &embedded, self.k);
        let text = |row: usize| vectors.texts.as_ref().map(|texts| texts[row].as_str());
        let hit = |&Hit { row, score }: &Hit| Found { score, row: row + 1, text: text(row) };
        let answers = texts.iter().zip(&found);
        let answers: Vec<Answer> =
            answers.map(|(query, hits)| Answer { query, hits: hits.iter().map(hit).collect() }).collect();
        if self.json {
            print_json(&answers)?
        } else {
            print(&describe(&answers))?
        }
        Ok(Exit::Done)
    }

    /// The query, or the lines of standard input.
    fn queries(&self) -> Result<Vec<String>, Failure> {
        if self.query == "-" {
            return Ok(Texts::standard_input().read_all()?);
        }
        if self.query.trim().is_empty() {
            let (found, expected) = ("empty".to_owned(), "a text".to_owned());
            return Err(ProgramError::Argument { argument: "QUERY", found, expected }.into());
        }
        Ok(vec![self.query.clone()])
    }

    /// One text for each of the vectors.
    fn read_texts(&self, path: &Path, rows: usize) -> Result<Vec<String>, Failure> {
        let texts = open_texts(path, &self.text_field)?.read_all()?;
        if texts.len() != rows {
            return Err(ProgramError::Argument {
                argument: "--texts",
                found: format!("`{}` with {} texts", path.display(), texts.len()),
                expected: format!("one text for each of the {rows} vectors in `{}`", self.embedded.display()),
            }
            .into());
        }
        Ok(texts)
    }
}

/// The hits of a single query, or those of each query below it.
fn describe(answers: &[Answer]) -> String {
    let blocks = answers.iter().map(|answer| {
        // A text of several lines stays in its row.
        let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let cells = |hit: &Found| {
            let mut cells = vec![format!("{:.4}", hit.score), hit.row.to_string()];
            cells.extend(hit.text.map(line));
            cells
        };
        let rows = columns(&answer.hits.iter().map(cells).collect::<Vec<_>>());
        if answers.len() == 1 { rows } else { format!("{}\n{rows}", line(answer.query)) }
    });
    blocks.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_queries_stand_above_their_hits() {
        let hit = |row, text| Found { score: 0.5, row, text };
        let one = Answer { query: "a", hits: vec![hit(3, Some("x\n y")), hit(12, Some("z"))] };
        let two = Answer { query: "b", hits: vec![hit(1, None)] };
        assert_eq!(describe(&[two]), "0.5000  1\n");
        let two = Answer { query: "b", hits: vec![hit(1, None)] };
        assert_eq!(describe(&[one, two]), "a\n0.5000  3   x y\n0.5000  12  z\n\nb\n0.5000  1\n");
    }
}
