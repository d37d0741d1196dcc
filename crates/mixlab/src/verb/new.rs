//! `mixlab new`: a first config for the user's own text.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use mixlab_core::config::resolve;
use mixlab_data::{DocumentSeparator, FileSummary, inspect};
use mixlab_nn::mixer::MixerConfig;
use mixlab_train::Config;
use toml::Table;

use crate::failure::{Exit, Failure, ProgramError};
use crate::output::{print, tell};
use crate::progress::count;

/// Write a starter config for your own text
///
/// Looks at the files and picks sizes that suit them; the config runs as it
/// is and tells what to change first.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mixlab new novel.txt --out novel.toml
  mixlab train novel.toml")]
pub struct New {
    /// Text to train on: .txt, .md, .jsonl, .csv, .tsv (also .gz, .zst), .parquet
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Token mixer, see `mixlab blocks list`
    #[arg(long, value_name = "KIND", default_value = "softmax_attention")]
    mixer: String,

    /// Write a file that does not exist yet, instead of standard output
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
}

impl New {
    pub fn run(self) -> Result<Exit, Failure> {
        let summaries: Vec<FileSummary> =
            self.files.iter().map(|path| inspect(path)).collect::<Result<_, _>>()?;
        let sizes = Sizes::for_text(summaries.iter().map(|summary| summary.bytes).sum());
        let text = config_text(&summaries, &sizes, &mixer(&self.mixer)?);
        // What is written must run: a mistake shows here, not at the user's first step.
        resolve::<Config>(&[("the new config".into(), text.clone())], &[])?.value.validate()?;
        for summary in &summaries {
            tell(&describe(summary));
        }
        match &self.out {
            None => print(&text)?,
            Some(path) => {
                write_new(path, &text)?;
                tell(&format!("wrote {0}; next: mixlab train {0}", path.display()));
            }
        }
        Ok(Exit::Done)
    }
}

fn mixer(kind: &str) -> Result<MixerConfig, ProgramError> {
    let catalogue = MixerConfig::catalogue();
    let names: Vec<&str> = catalogue.iter().map(MixerConfig::name).collect();
    let expected = format!("one of {}", names.join(", "));
    let found = catalogue.into_iter().find(|mixer| mixer.name() == kind);
    found.ok_or_else(|| ProgramError::Argument { argument: "--mixer", found: format!("`{kind}`"), expected })
}

fn describe(summary: &FileSummary) -> String {
    let documents = if summary.documents == 1 { "document" } else { "documents" };
    format!(
        "{}: {} bytes of text in {} {documents}",
        summary.path.display(),
        count(summary.bytes as f64),
        summary.documents
    )
}

fn write_new(path: &Path, text: &str) -> Result<(), ProgramError> {
    let written = File::create_new(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|source| match source.kind() {
        std::io::ErrorKind::AlreadyExists => ProgramError::Exists { path: path.to_owned() },
        _ => ProgramError::Write { path: path.to_owned(), source },
    })
}

/// Sizes that suit a text of some length.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sizes {
    /// Tokens of the vocabulary; `None` for bytes.
    vocabulary: Option<usize>,
    width: usize,
    depth: usize,
    length: usize,
    batch: usize,
    steps: u64,
    learning_rate: f64,
}

impl Sizes {
    /// Rules of thumb. A model that is large for its text learns it by heart before it learns the
    /// language, so width grows with the text, and no text is read more than about ten times.
    fn for_text(bytes: u64) -> Self {
        let (width, depth, learning_rate) = match bytes {
            0..100_000 => (96, 2, 4e-3),
            100_000..2_000_000 => (192, 4, 3e-3),
            2_000_000..20_000_000 => (256, 6, 2e-3),
            _ => (384, 8, 1e-3),
        };
        let vocabulary = vocabulary(bytes);
        let tokens = bytes as f64 / vocabulary.map_or(1.0, |size| (size as f64).log2() / 4.0);
        // The held-out tenth must fill several rows.
        let length =
            (16..=256_usize).rev().find(|n| n.is_power_of_two() && 40 * n <= tokens as usize).unwrap_or(16);
        let batch = 4096 / length.max(128);
        let steps = (10.0 * tokens / (batch * length) as f64).round() as u64;
        Sizes { vocabulary, width, depth, length, batch, steps: steps.clamp(50, 5000), learning_rate }
    }
}

/// About a thousand pieces for a novel, growing with the square root of the text; bytes for a few pages.
fn vocabulary(bytes: u64) -> Option<usize> {
    let pieces = 1024.0 * (bytes as f64 / 700_000.0).sqrt();
    (bytes >= 50_000).then(|| (pieces / 128.0).round() as usize * 128).map(|size| size.clamp(512, 16_384))
}

fn config_text(files: &[FileSummary], sizes: &Sizes, mixer: &MixerConfig) -> String {
    let causal = mixer.check_direction(true).is_ok();
    let parts = [
        Some(run_text()),
        Some(data_text(files)),
        Some(tokenizer_text(sizes)),
        Some(model_text(sizes, mixer)),
        (!causal).then(objective_text),
        Some(train_text(sizes)),
        causal.then(|| sample_text(sizes)),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// For mixers that see both sides of a token, whatever one asks.
fn objective_text() -> String {
    "[objective]\nkind = \"masked_lm\"            # this mixer sees both sides: it fills gaps, it does not write\n".into()
}

fn sample_text(sizes: &Sizes) -> String {
    let every = (sizes.steps / 4).max(1);
    format!("[sample]\nevery = {every}                   # text in samples.txt while it trains\n")
}

fn run_text() -> String {
    "# A starter config written by `mixlab new`. `mixlab config explain` lists every key.\n\n\
     [run]\nseed = 1                      # another seed, another run of the same experiment\n"
        .into()
}

fn data_text(files: &[FileSummary]) -> String {
    let quote = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let paths: Vec<String> = files.iter().map(|file| quote(&file.path.display().to_string())).collect();
    let mut text = format!("[data]\ntrain = [{}]\n", paths.join(", "));
    text.push_str("evaluate_fraction = 0.1       # the end of the text: measured on, never trained on\n");
    let first = &files[0];
    if !first.fields.is_empty() {
        let fields = first.fields.join(", ").replace(char::is_control, " ");
        text.push_str(&format!("text_field = {}   # fields found: {fields}\n", quote(&first.text_field)));
    }
    let separator = match first.document_separator {
        DocumentSeparator::File => "file",
        DocumentSeparator::Line => "line",
        DocumentSeparator::BlankLine => "blank_line",
        DocumentSeparator::Marker => "marker",
    };
    text.push_str(&format!(
        "document_separator = \"{separator}\"   # where plain text divides into documents\n"
    ));
    text
}

fn tokenizer_text(sizes: &Sizes) -> String {
    match sizes.vocabulary {
        None => {
            "[tokenizer]\nkind = \"byte\"                 # little text: one token for each byte\n".into()
        }
        Some(size) => format!(
            "[tokenizer]\nkind = \"bpe\"                  # learned from the training part only\nvocabulary = {size}\n"
        ),
    }
}

fn model_text(sizes: &Sizes, mixer: &MixerConfig) -> String {
    let Sizes { width, depth, length, .. } = sizes;
    format!(
        "[model]\nwidth = {width}                   # larger learns more and slower; halve it to try ideas\n\
         depth = {depth}\nmax_length = {length}\n\n\
         [model.mixer]                 # `mixlab blocks list` shows the others\n{}",
        mixer_text(mixer)
    )
}

/// The kind, and the keys that would be missing or different without being written.
fn mixer_text(mixer: &MixerConfig) -> String {
    let Ok(mut table) = Table::try_from(mixer) else { return format!("kind = \"{}\"\n", mixer.name()) };
    for key in table.clone().into_iter().map(|(key, _)| key).filter(|key| key != "kind") {
        let mut without = table.clone();
        without.remove(&key);
        let same = resolve::<MixerConfig>(&[("mixer".into(), without.to_string())], &[]);
        if same.is_ok_and(|same| same.value == *mixer) {
            table = without;
        }
    }
    // Tables of the mixer's own follow its values; their names begin at the root of the file.
    table.to_string().replace("\n[", "\n[model.mixer.")
}

fn train_text(sizes: &Sizes) -> String {
    let Sizes { length, batch, steps, learning_rate, .. } = sizes;
    let every = (steps / 4).max(1);
    format!(
        "[optimizer]\nkind = \"adamw\"\nlearning_rate = {learning_rate:?}         # halve it if the loss jumps\n\n\
         [schedule]\nkind = \"cosine\"\nwarmup = {}\n\n\
         [train]\nsteps = {steps}                    # about ten times over the text at most\n\
         batch = {batch}\nlength = {length}                  # tokens the model sees at once\n\n\
         [evaluate]\nevery = {every}\n\n\
         [checkpoint]\nevery = {every}                   # what `mixlab resume` goes on from\n",
        steps / 10,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_grow_with_the_text_and_stay_useful() {
        let sizes = [500, 20_000, 700_000, 10_000_000, 1 << 40].map(Sizes::for_text);
        assert!(sizes.is_sorted_by_key(|sizes| (sizes.width, sizes.depth)), "{sizes:?}");
        assert!(sizes.iter().all(|s| s.steps >= 50 && s.batch >= 16 && s.length >= 16), "{sizes:?}");
        assert_eq!(sizes[2].vocabulary, Some(1024));
        assert_eq!(sizes[0].vocabulary, None);
    }

    #[test]
    fn a_mixer_is_written_with_its_choices_only() {
        for mixer in MixerConfig::catalogue() {
            let text = format!("[model.mixer]\n{}", mixer_text(&mixer));
            let back = text.parse::<Table>().unwrap()["model"]["mixer"].clone();
            assert_eq!(back.try_into::<MixerConfig>().unwrap(), mixer, "{text}");
        }
        assert_eq!(mixer_text(&MixerConfig::catalogue()[0]), "kind = \"softmax_attention\"\n");
    }
}
