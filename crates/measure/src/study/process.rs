//! Cells as child processes: a crash ends one cell, and memory is measured cell by cell.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use toml::Table;

use super::engine::{CellEnd, CellError, CellRunner, Place};
use super::grid::Cell;
use super::run::CONFIG;
use crate::memory::peak_memory_mib;

/// The program's exit code for "interrupted and saved".
const INTERRUPTED: i32 = 130;
/// How often a child is looked at.
const PERIOD: Duration = Duration::from_millis(50);

/// Trains every cell with a program of its own: `config show`, `train` and `resume` of `mixlab`.
///
/// Ctrl-C at a terminal reaches the child as well, which saves and exits. A sweep that is killed
/// leaves its child running; the child holds the study's lock, so that no second process can touch
/// the same folder before it has ended.
#[derive(Clone, Debug)]
pub struct ProcessRunner {
    /// The program, usually the path of the running executable.
    pub program: PathBuf,
    /// The base config of the sweep.
    pub base: PathBuf,
    /// Set by whoever listens to Ctrl-C.
    pub interrupt: Arc<AtomicBool>,
}

/// A child that did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
enum ChildError {
    #[error("cannot {what} `{}`", path.display())]
    File { what: &'static str, path: PathBuf, source: io::Error },
    #[error("cannot run `{}`", program.display())]
    Start { program: PathBuf, source: io::Error },
    #[error("{message}")]
    Config { message: String },
    #[error("the resolved config is not TOML")]
    Toml(#[from] toml::de::Error),
    #[error("{status}: {message}")]
    Run { status: ExitStatus, message: String },
}

impl CellRunner for ProcessRunner {
    fn resolve(&mut self, cell: &Cell) -> Result<Table, CellError> {
        let mut command = Command::new(&self.program);
        command.args(["config", "show"]).arg(&self.base).args(set_arguments(cell));
        let output = command.stdin(Stdio::null()).output().map_err(|source| self.not_started(source))?;
        if !output.status.success() {
            let message = last_words(&String::from_utf8_lossy(&output.stderr));
            return Err(ChildError::Config { message }.into());
        }
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.parse::<Table>().map_err(ChildError::Toml)?)
    }

    fn run(&mut self, cell: &Cell, place: &Place) -> Result<CellEnd, CellError> {
        let mut command = Command::new(&self.program);
        if place.folder.join(CONFIG).exists() {
            command.arg("resume").arg(place.folder);
        } else {
            clear(place.folder)?;
            command.arg("train").arg(&self.base).arg("--out").arg(place.folder).args(set_arguments(cell));
        }
        let file = |what, source| ChildError::File { what, path: place.log.to_owned(), source };
        let log = File::create(place.log).map_err(|source| file("create", source))?;
        let copy = log.try_clone().map_err(|source| file("share", source))?;
        let lock = place.lock.try_clone().map_err(|source| file("share the lock beside", source))?;
        let child = command.stdin(lock).stdout(copy).stderr(log).spawn();
        let (status, peak) = wait(child.map_err(|source| self.not_started(source))?)
            .map_err(|source| self.not_started(source))?;
        match status.code() {
            Some(0) => Ok(CellEnd::Finished(
                peak.map(|mib| ("peak_memory_mib".to_owned(), mib)).into_iter().collect(),
            )),
            Some(INTERRUPTED) => Ok(CellEnd::Interrupted),
            _ => {
                let text = fs::read(place.log).unwrap_or_default();
                let message = last_words(&String::from_utf8_lossy(&text));
                Err(ChildError::Run { status, message }.into())
            }
        }
    }

    fn interrupted(&self) -> bool {
        self.interrupt.load(Ordering::SeqCst)
    }
}

impl ProcessRunner {
    fn not_started(&self, source: io::Error) -> ChildError {
        ChildError::Start { program: self.program.clone(), source }
    }
}

fn set_arguments(cell: &Cell) -> Vec<String> {
    cell.sets().into_iter().flat_map(|set| ["--set".to_owned(), set]).collect()
}

/// Removes what a run left that was killed before it had written its config.
fn clear(folder: &Path) -> Result<(), ChildError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(ChildError::File { what: "clear", path: folder.to_owned(), source: error })
        }
        _ => Ok(()),
    }
}

/// Waits for the end, and reads the peak memory while there is a process to ask: the kernel's own
/// high-water mark never falls, so only what happens in the last period is missed.
fn wait(mut child: Child) -> io::Result<(ExitStatus, Option<f64>)> {
    let mut peak = None;
    loop {
        peak = peak_memory_mib(child.id()).or(peak);
        if let Some(status) = child.try_wait()? {
            return Ok((status, peak));
        }
        std::thread::sleep(PERIOD);
    }
}

/// The program's own error line, or the last thing it printed.
fn last_words(text: &str) -> String {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).rev();
    let error = lines.clone().find_map(|line| line.strip_prefix("error: "));
    error.or_else(|| lines.next()).unwrap_or("it printed nothing").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_line_is_preferred() {
        assert_eq!(last_words("step 1\nerror: no space\nhint: free some\n"), "no space");
        assert_eq!(last_words("step 1\nstep 2\n\n"), "step 2");
        assert_eq!(last_words(""), "it printed nothing");
    }

    #[test]
    fn nothing_is_left_of_a_half_made_folder() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("run");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("half"), "").unwrap();
        clear(&folder).unwrap();
        clear(&folder).unwrap();
        assert!(!folder.exists());
    }
}
