//! How the program ends: exit codes, and errors printed once with their causes and a hint.

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use mixlab_core::{Diagnose, ExitKind};

/// An end that is not an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything was done.
    Done,
    /// A check or comparison came out negative.
    Negative,
    /// Interrupted from the terminal, with everything saved.
    Interrupted,
}

impl Exit {
    pub fn code(self) -> ExitCode {
        ExitCode::from(match self {
            Exit::Done => 0,
            Exit::Negative => ExitKind::Negative.code(),
            Exit::Interrupted => 130,
        })
    }
}

/// Any error of any crate, boxed with its diagnosis. `?` converts into it.
#[derive(Debug)]
pub struct Failure(Box<dyn Diagnose>);

impl<E: Diagnose + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure(Box::new(error))
    }
}

/// What the program itself, not a library under it, can fail with.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// A file could not be read.
    #[error("cannot read `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A file could not be written.
    #[error("cannot write `{}`", path.display())]
    Write { path: PathBuf, source: io::Error },
    /// A file that must hold text does not.
    #[error("`{}` is not UTF-8 text: byte {offset} is invalid", path.display())]
    NotText { path: PathBuf, offset: usize },
    /// Standard output could not be written.
    #[error("cannot write to standard output")]
    Stdout { source: io::Error },
    /// Standard input could not be read.
    #[error("cannot read standard input")]
    Stdin { source: io::Error },
    /// The system does not let the program listen to signals.
    #[error("cannot listen to Ctrl-C")]
    Signals { source: io::Error },
    /// Something would be overwritten.
    #[error("`{}` exists already", path.display())]
    Exists { path: PathBuf },
    /// An argument outside what the verb takes.
    #[error("{argument} is {found}, expected {expected}")]
    Argument { argument: &'static str, found: String, expected: String },
    /// A config key that does not exist was asked about.
    #[error("there is no config key `{path}`{}", nearest.as_ref().map_or_else(String::new, |n| format!("; did you mean `{n}`?")))]
    NoSuchKey { path: String, nearest: Option<String> },
    /// A model folder was to be measured on nothing.
    #[error("there is no text to measure `{}` on: it is not a run, and no file is named", path.display())]
    NothingToMeasure { path: PathBuf },
    /// A model that sees both sides was asked to continue a text.
    #[error("the model in `{}` was trained to fill gaps, it cannot continue a text", path.display())]
    NotCausal { path: PathBuf },
    /// Vectors that another model made.
    #[error("the vectors in `{}` have {found} numbers, those of the model {expected}", path.display())]
    Width { path: PathBuf, found: usize, expected: usize },
}

impl ProgramError {
    /// Unless a count is as large as it has to be.
    pub fn check_least(argument: &'static str, found: usize, least: usize) -> Result<(), ProgramError> {
        match found >= least {
            true => Ok(()),
            false => Err(ProgramError::Argument {
                argument,
                found: found.to_string(),
                expected: format!("{least} or more"),
            }),
        }
    }
}

impl Diagnose for ProgramError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            ProgramError::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "check the spelling of the path; it is relative to the current folder".into()
            }
            ProgramError::Read { .. } => "check that it is a file and that you may read it".into(),
            ProgramError::Write { .. } => {
                "check that the folder exists, is writable and has space left".into()
            }
            ProgramError::NotText { .. } => "convert the file to UTF-8".into(),
            ProgramError::Exists { .. } => "choose another name, or remove it first".into(),
            ProgramError::NoSuchKey { .. } => "`mixlab config explain` lists every key".into(),
            ProgramError::NothingToMeasure { path } => {
                format!("name text files: mixlab eval {} FILE", path.display())
            }
            ProgramError::NotCausal { .. } => "train one with `objective.kind = \"causal_lm\"`".into(),
            ProgramError::Width { .. } => "embed the texts with this model: `mixlab embed --help`".into(),
            ProgramError::Argument { .. } => "`--help` after the verb tells what each argument takes".into(),
            ProgramError::Signals { .. } | ProgramError::Stdout { .. } | ProgramError::Stdin { .. } => {
                return None;
            }
        })
    }

    fn exit(&self) -> ExitKind {
        match self {
            ProgramError::Stdout { .. } | ProgramError::Signals { .. } | ProgramError::Write { .. } => {
                ExitKind::Failed
            }
            _ => ExitKind::Usage,
        }
    }
}

impl Failure {
    /// Prints the error with its causes and the hint, and gives the exit code.
    ///
    /// A reader that closed the pipe has seen enough: that is success, and nothing is printed.
    pub fn report(&self) -> ExitCode {
        if self.is_broken_pipe() {
            return ExitCode::SUCCESS;
        }
        let mut stderr = io::stderr().lock();
        let colour = stderr.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        let (red, cyan, plain) = if colour { ("\x1b[1;31m", "\x1b[1;36m", "\x1b[0m") } else { ("", "", "") };
        // A closed stderr leaves nobody to tell; the exit code still does.
        let _ = writeln!(stderr, "{red}error:{plain} {}", self.chain());
        if let Some(hint) = self.0.hint() {
            let _ = writeln!(stderr, "{cyan}hint:{plain} {hint}");
        }
        ExitCode::from(self.0.exit().code())
    }

    /// The message and its causes, each once: many libraries repeat a cause in their own message.
    fn chain(&self) -> String {
        let mut text = self.0.to_string();
        for cause in causes(self.0.source()) {
            let cause = cause.to_string();
            if !text.contains(&cause) {
                text.push_str(&format!(": {cause}"));
            }
        }
        text
    }

    fn is_broken_pipe(&self) -> bool {
        causes(self.0.source())
            .filter_map(|cause| cause.downcast_ref::<io::Error>())
            .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
    }
}

fn causes<'a>(first: Option<&'a (dyn Error + 'static)>) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(first, |&error| error.source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_printed_once() {
        let source = io::Error::other("disk on fire");
        let failure = Failure::from(ProgramError::Read { path: "a.txt".into(), source });
        assert_eq!(failure.chain(), "cannot read `a.txt`: disk on fire");
    }

    #[test]
    fn a_closed_pipe_is_recognised() {
        let source = io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(Failure::from(ProgramError::Stdout { source }).is_broken_pipe());
    }
}
