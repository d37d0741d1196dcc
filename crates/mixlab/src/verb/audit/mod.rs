//! `mixlab audit`: execute every promise of a model on that model.

mod cached;
mod lengths;
mod text;

use std::panic;
use std::path::PathBuf;

use clap::Args;
use mixlab_core::DeviceChoice;
use mixlab_measure::audit::{
    LENGTHS, Progress, Stack, Subject, audit, audit_mixers, default_lengths, is_watched,
};
use mixlab_train::{ModelFolder, set_threads};

use crate::arguments::{ConfigSource, Overrides};
use crate::failure::{Exit, Failure, ProgramError};
use crate::input::read_config;
use crate::output::{print, print_json, print_report};
use crate::progress::Display;

/// Execute every promise of a model on that model
///
/// Runs every block, with its weights, on the activations that reach it, and
/// compares what must be equal: outputs before and after a later token is
/// replaced, with and without padding, whole and piece by piece, by kernels
/// and by their definitions. Of a config the first values are moved at random,
/// so that none is 0; of a trained model they are what they are. The first
/// violation is named by block, sample and position, all counted from 0.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  mixlab audit configs/quickstart.toml
  mixlab audit runs/quickstart --lengths 1-130
  mixlab audit --mixers
  mixlab audit configs/verse-pairs.toml --cached-gradients

Equal means up to 1e-10 of the largest value, in double precision; a kernel and
its definition in single precision, up to 1e-4. Exit code 1 says that something
does not hold.")]
pub struct Audit {
    /// TOML files, of which a later one wins key by key; or one run folder or
    /// model folder
    #[arg(value_name = "CONFIG|MODEL", required_unless_present = "mixers")]
    sources: Vec<PathBuf>,

    #[command(flatten)]
    sets: Overrides,

    /// Audit a small model of every mixer instead, and print what each promises
    #[arg(long, conflicts_with_all = ["sources", "sets", "device"])]
    mixers: bool,

    /// Compare the gradient of a contrastive run's first batch instead: whole,
    /// in chunks, and summed over small batches
    #[arg(long, conflicts_with_all = ["mixers", "lengths"])]
    cached_gradients: bool,

    /// Print that table in Markdown
    #[arg(long, requires = "mixers", conflicts_with_all = ["sources", "json"])]
    markdown: bool,

    /// Lengths of the sequences, such as 1-130 or 1,33,512; 1, 2, 3, 7, 16, 33,
    /// 64, 130 and a few of the model's own if absent
    #[arg(long, value_name = "LENGTHS")]
    lengths: Option<String>,

    /// Where to compute; a config's run.device, or cpu, if absent
    #[arg(long, value_name = "DEVICE")]
    device: Option<DeviceChoice>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Audit {
    pub fn run(self) -> Result<Exit, Failure> {
        let lengths = self.lengths.as_deref().map(lengths::parse).transpose()?;
        if self.cached_gradients {
            return self.run_cached_gradients();
        }
        keep_watched_panics_silent();
        if self.mixers {
            return self.run_mixers(&lengths.unwrap_or(LENGTHS.to_vec()));
        }
        let subject = self.subject()?;
        let config = subject.config();
        let lengths = match lengths {
            Some(lengths) => {
                lengths.iter().try_for_each(|&length| config.check_length(length, subject.causal))?;
                lengths
            }
            None => default_lengths(config, subject.causal),
        };
        let report =
            Display::during(|display| audit(&subject, &lengths, &mut |progress| show(display, progress)));
        print_report(&report, self.json, text::report)?;
        Ok(if report.holds() { Exit::Done } else { Exit::Negative })
    }

    fn run_mixers(self, lengths: &[usize]) -> Result<Exit, Failure> {
        let audits =
            Display::during(|display| audit_mixers(lengths, &mut |progress| show(display, progress)))?;
        if self.json {
            print_json(&audits)?;
        } else if self.markdown {
            print(&text::markdown(&audits))?;
        } else {
            print(&text::mixers(&audits))?;
        }
        Ok(if audits.iter().all(|audit| audit.report.holds()) { Exit::Done } else { Exit::Negative })
    }

    /// The model of a config or of a folder.
    fn subject(&self) -> Result<Subject<Stack>, Failure> {
        match self.sources.as_slice() {
            [folder] if folder.is_dir() => {
                if let Some(set) = self.sets.sets.first() {
                    return Err(ProgramError::Argument {
                        argument: "--set",
                        found: set.clone(),
                        expected: "no override beside a model, which is audited as it is".to_owned(),
                    }
                    .into());
                }
                set_threads(0);
                let device = self.device.unwrap_or_default().device();
                let path = ModelFolder::locate(folder)?;
                Ok(Subject::of_path(&path, &device)?)
            }
            files => {
                let sets = Overrides { sets: self.sets.sets.clone() };
                let mut config = read_config(&ConfigSource { files: files.to_vec(), sets })?.value;
                config.run.device = self.device.unwrap_or(config.run.device);
                set_threads(config.run.threads);
                Ok(Subject::of_config(&config)?)
            }
        }
    }
}

fn show(display: &mut Display, progress: Progress<'_>) {
    display.advance(progress.done, progress.of, progress.layer);
}

/// A panic that the audit catches is a line of its report, not a message.
fn keep_watched_panics_silent() {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !is_watched() {
            hook(info);
        }
    }));
}
