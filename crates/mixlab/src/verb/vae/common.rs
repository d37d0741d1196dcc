//! What the verbs of a text VAE share: the model, how texts are written, and how they are printed.

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use mixlab_data::{Documents, SentenceNotes};
use mixlab_train::{
    Draw, EncodedTexts, Latents, ModelFolder, Piece, SamplingConfig, TextVaeFolder, Writing, WrittenText,
    describe_notes, unheard,
};
use serde::Serialize;

use crate::arguments::DeviceOption;
use crate::failure::{Failure, ProgramError};
use crate::output::{print, tell};

/// A trained text VAE.
#[derive(Debug, Args)]
pub struct Model {
    /// A run folder or a model folder
    model: PathBuf,

    #[command(flatten)]
    device: DeviceOption,
}

impl Model {
    pub fn load(&self) -> Result<TextVaeFolder, Failure> {
        let device = self.device.open();
        Ok(TextVaeFolder::load(&ModelFolder::locate(&self.model)?, &device)?)
    }
}

/// How texts are written from latents.
#[derive(Debug, Args)]
pub struct Decoding {
    /// Divide the logits by this; 0 takes the most probable token
    #[arg(long, value_name = "T", allow_negative_numbers = true, default_value_t = 0.0)]
    temperature: f64,

    /// Draw among the K most probable tokens; 0 for all
    #[arg(long, value_name = "K", default_value_t = 0)]
    top_k: usize,

    /// Draw among the tokens that together reach this probability
    #[arg(long, value_name = "P", allow_negative_numbers = true, default_value_t = 1.0)]
    top_p: f64,

    /// Search with N hypotheses for the most probable text instead
    #[arg(long, value_name = "N", conflicts_with_all = ["temperature", "top_k", "top_p"])]
    beams: Option<usize>,

    /// Seed of all draws
    #[arg(long, default_value_t = 0)]
    pub seed: u64,

    /// Print JSON lines, with the log probability of each text
    #[arg(long)]
    json: bool,
}

impl Decoding {
    fn writing(&self) -> Result<Writing, Failure> {
        match self.beams {
            Some(beams) => {
                ProgramError::check_least("--beams", beams, 1)?;
                Ok(Writing::Search { beams })
            }
            None => {
                let sampling =
                    SamplingConfig { temperature: self.temperature, top_k: self.top_k, top_p: self.top_p };
                sampling.validate("--temperature", "--top-p")?;
                Ok(Writing::Draw { sampling, seed: self.seed })
            }
        }
    }

    /// Writes a text from each row of latents and prints it, as soon as it is certain unless as JSON.
    /// `note` gives what stands in front of a text, and what is added to its JSON.
    pub fn print<N: Serialize>(
        &self,
        model: &TextVaeFolder,
        latents: &Latents,
        note: impl Fn(usize) -> Noted<N> + Sync,
    ) -> Result<(), Failure> {
        let writing = self.writing()?;
        if self.json {
            let written = model.write(latents, &writing, &mut unheard)?;
            for (row, text) in written.iter().enumerate() {
                print_line(text, note(row).json)?;
            }
            return Ok(());
        }
        let mut lines = Lines::new(|row| note(row).front);
        // The stream cannot carry an error out, so it is kept here.
        let mut printed: Result<(), ProgramError> = Ok(());
        model.write(latents, &writing, &mut |row, piece| match print(&lines.receive(row, piece)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                printed = Err(error);
                ControlFlow::Break(())
            }
        })?;
        Ok(printed?)
    }
}

/// What is said of a text beside it.
pub struct Noted<N> {
    /// In front of it on its line.
    pub front: String,
    /// In its JSON object.
    pub json: N,
}

impl Noted<()> {
    /// Nothing.
    pub fn none(_: usize) -> Self {
        Noted { front: String::new(), json: () }
    }
}

#[derive(Serialize)]
struct Line<'a, N> {
    text: &'a str,
    log_probability: f64,
    ended: bool,
    #[serde(flatten)]
    note: N,
}

fn print_line<N: Serialize>(text: &WrittenText, note: N) -> Result<(), Failure> {
    let WrittenText { text, log_probability, ended, .. } = text;
    let line = Line { text, log_probability: *log_probability, ended: *ended, note };
    let line = serde_json::to_string(&line)
        .map_err(|error| ProgramError::Stdout { source: std::io::Error::other(error) })?;
    Ok(print(&format!("{line}\n"))?)
}

/// Texts that are written beside each other, as lines one after the other: the first that is not complete goes out as it grows.
struct Lines<F> {
    front: F,
    /// The text that goes out.
    current: usize,
    /// Whether something of it has gone out.
    begun: bool,
    /// What is there of those behind, and whether it is complete.
    waiting: std::collections::BTreeMap<usize, (String, bool)>,
}

impl<F: Fn(usize) -> String> Lines<F> {
    fn new(front: F) -> Self {
        Lines { front, current: 0, begun: false, waiting: Default::default() }
    }

    /// What can be printed now.
    fn receive(&mut self, row: usize, piece: Piece<'_>) -> String {
        let (text, done) = self.waiting.entry(row).or_default();
        match piece {
            Piece::Text(more) => text.push_str(more),
            Piece::End => *done = true,
        }
        let mut out = String::new();
        while let Some((text, done)) = self.waiting.remove(&self.current) {
            if !self.begun {
                out.push_str(&(self.front)(self.current));
            }
            self.begun = true;
            out.push_str(&text);
            if !done {
                break;
            }
            out.push('\n');
            self.current += 1;
            self.begun = false;
        }
        out
    }
}

/// Reads texts of the command line.
pub fn encode_texts(model: &TextVaeFolder, texts: &[&str], draw: Option<Draw>) -> Result<Latents, Failure> {
    if texts.iter().any(|text| text.trim().is_empty()) {
        return Err(ProgramError::Argument {
            argument: "TEXT",
            found: "empty".to_owned(),
            expected: "a sentence".to_owned(),
        }
        .into());
    }
    let EncodedTexts { latents, notes } =
        model.encode(&texts.iter().copied().collect::<Documents>(), draw)?;
    tell_notes(notes, texts.len(), model.length());
    Ok(latents)
}

/// Tells what became of `count` texts on their way into rows of `length` tokens.
pub fn tell_notes(notes: SentenceNotes, count: usize, length: usize) {
    for note in describe_notes(notes, count, length) {
        tell(&format!("note: {note}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_out_one_after_the_other_as_soon_as_they_can() {
        let mut lines = Lines::new(|row| format!("{row}: "));
        let mut out = |row, piece| lines.receive(row, piece);
        assert_eq!(out(0, Piece::Text("a")), "0: a");
        assert_eq!(out(1, Piece::Text("x")), "");
        assert_eq!(out(1, Piece::End), "");
        assert_eq!(out(2, Piece::Text("p")), "");
        assert_eq!(out(0, Piece::Text("b")), "b");
        assert_eq!(out(0, Piece::End), "\n1: x\n2: p");
        assert_eq!(out(2, Piece::End), "\n");
        // A text of nothing is a line too.
        assert_eq!(out(3, Piece::End), "3: \n");
    }
}
