//! `mixlab embed`: vectors of texts from a trained embedding model.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use clap::Args;
use mixlab_data::Texts;
use mixlab_train::{EmbedderFolder, Interrupt, ModelFolder, TextEmbedder};

use crate::arguments::DeviceOption;
use crate::failure::{Exit, Failure, ProgramError};
use crate::output::tell;
use crate::vectors::{VectorOutput, VectorTarget};

/// Texts that are read, embedded and written at once.
const WINDOW: usize = 2048;

/// Turn texts into vectors with a trained embedding model
///
/// Row i of the output is line or record i of the file. Vectors, and the lines of
/// a plain text, stream through: neither has to fit into the memory. Texts that
/// are longer than those of the training lose their ends; how many is told.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  mixlab embed runs/pairs sentences.txt --out sentences.npy
  mixlab embed runs/pairs questions.jsonl --text-field question --out q.parquet
  echo \"It is a truth\" | mixlab embed runs/pairs -")]
pub struct Embed {
    /// A run folder or a model folder
    model: PathBuf,

    /// A text a line, or a field of JSON lines, CSV and Parquet files; - reads
    /// lines from standard input
    file: PathBuf,

    #[command(flatten)]
    target: VectorTarget,

    /// Tokens that are computed at once, padding included
    #[arg(long, value_name = "N", default_value_t = TextEmbedder::BATCH_TOKENS)]
    batch_tokens: usize,

    /// Field or column of the text in JSON lines, CSV and Parquet files
    #[arg(long, value_name = "NAME", default_value = "text")]
    text_field: String,

    #[command(flatten)]
    device: DeviceOption,
}

impl Embed {
    pub fn run(self) -> Result<Exit, Failure> {
        ProgramError::check_least("--batch-tokens", self.batch_tokens, 1)?;
        let target = self.target.check()?;
        let device = self.device.open();
        let folder = EmbedderFolder::load(&ModelFolder::locate(&self.model)?, &device)?;
        let mut texts = open_texts(&self.file, &self.text_field)?;
        let mut embedder = TextEmbedder::new(&folder, &device, self.batch_tokens)?;
        let mut output = VectorOutput::new(target, folder.width())?;
        // Lines on a pipe are worth having when the rest is not wanted; half a file is not.
        let interrupt = if self.target.out.is_some() { Interrupt::on_signals()? } else { Interrupt::new() };
        let mut repeated = Repeated::default();
        loop {
            let window = next_texts(&mut texts, WINDOW)?;
            if window.is_empty() {
                break;
            }
            let window: Vec<&str> = window.iter().map(String::as_str).collect();
            window.iter().for_each(|text| repeated.add(text));
            let values: Vec<f32> = embedder.embed(&window)?.into_iter().map(|value| value as f32).collect();
            if interrupt.requested() {
                tell("interrupted: nothing was written");
                return Ok(Exit::Interrupted);
            }
            output.write(&window, &values)?;
        }
        output.finish()?;
        self.report(&embedder, repeated.count, folder.width());
        Ok(Exit::Done)
    }

    fn report(&self, embedder: &TextEmbedder, repeated: usize, width: usize) {
        let rows = embedder.rows();
        if let Some(out) = &self.target.out {
            tell(&format!("wrote {}: {rows} vectors of {width} numbers", out.display()));
        }
        tell_cut(embedder);
        if repeated > 0 {
            tell(&format!(
                "note: texts that repeat earlier ones have rows of their own: {repeated} of {rows}"
            ));
        }
    }
}

/// At most so many of the texts that are left.
pub fn next_texts(texts: &mut Texts, most: usize) -> Result<Vec<String>, Failure> {
    Ok(texts.by_ref().take(most).collect::<Result<_, _>>()?)
}

/// The texts of a file, or the lines of standard input for `-`.
pub fn open_texts(file: &Path, field: &str) -> Result<Texts, Failure> {
    if file == Path::new("-") { Ok(Texts::standard_input()) } else { Ok(Texts::open(file, field)?) }
}

/// Tells how many texts were cut, if any.
pub fn tell_cut(embedder: &TextEmbedder) {
    if embedder.cut() > 0 {
        let (cut, rows, longest) = (embedder.cut(), embedder.rows(), embedder.longest());
        tell(&format!("note: texts longer than {longest} tokens lost their ends: {cut} of {rows}"));
    }
}

/// Counts texts that were there before, by their hashes.
#[derive(Default)]
struct Repeated {
    seen: HashSet<u64>,
    count: usize,
}

impl Repeated {
    fn add(&mut self, text: &str) {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        self.count += usize::from(!self.seen.insert(hasher.finish()));
    }
}
