//! `mixlab sweep`: run a grid of overrides and seeds, and tabulate it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Args;
use mixlab_measure::study::{
    Cell, Event, Grid, Outcome, ProcessRunner, SweepFile, SweepOptions, plan, sweep,
};

use crate::failure::{Exit, Failure, ProgramError};
use crate::output::{columns, print, print_json, tell};

/// Run a grid of overrides and seeds, and tabulate it
///
/// What is finished is skipped, so that the same command continues a sweep
/// that was stopped or killed. The table is rewritten after every cell.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example, a file mixers.toml:
  base = \"configs/quickstart.toml\"
  out = \"runs/mixers\"
  seeds = [1, 2, 3]
  metrics = [\"bits_per_byte\", \"tokens_per_second\"]

  [[axis]]
  name = \"mixer\"
  key = \"model.mixer.kind\"
  values = [\"softmax_attention\", \"linear_attention\"]

and then:
  mixlab sweep mixers.toml

Exit code 1 says that a cell failed; the others have run.")]
pub struct Sweep {
    /// The sweep as TOML
    file: PathBuf,

    /// Check every cell's config and list the cells; run nothing
    #[arg(long)]
    dry_run: bool,

    /// Run cells again that failed earlier
    #[arg(long)]
    retry_failed: bool,

    /// Print the table, or the list of cells, as JSON
    #[arg(long)]
    json: bool,
}

impl Sweep {
    pub fn run(self) -> Result<Exit, Failure> {
        let file = SweepFile::read(&self.file)?;
        let mut runner = ProcessRunner {
            program: std::env::current_exe()
                .map_err(|source| ProgramError::Read { path: "mixlab".into(), source })?,
            base: file.base.clone(),
            interrupt: listen()?,
        };
        if self.dry_run {
            return list(&plan(&file, &mut runner)?, self.json);
        }
        let options = SweepOptions { retry_failed: self.retry_failed };
        let outcome = sweep(&file, &mut runner, options, &mut |event| tell(&describe(&event)))?;
        let table = outcome.study.table();
        print(&if self.json { table.json() } else { table.text() })?;
        tell(&summary(&outcome, &self.file));
        Ok(match (outcome.interrupted, outcome.failed) {
            (true, _) => Exit::Interrupted,
            (false, 0) => Exit::Done,
            (false, _) => Exit::Negative,
        })
    }
}

/// One line a cell: its name, and what it sets.
fn list(grid: &Grid, json: bool) -> Result<Exit, Failure> {
    if json {
        let cell = |cell: &Cell| serde_json::json!({ "name": cell.name, "set": cell.sets() });
        print_json(&grid.cells.iter().map(cell).collect::<Vec<_>>())?;
    } else {
        let row = |cell: &Cell| vec![cell.name.clone(), cell.sets().join("  ")];
        print(&columns(&grid.cells.iter().map(row).collect::<Vec<_>>()))?;
    }
    Ok(Exit::Done)
}

/// Ctrl-C asks the sweep to stop after the running cell has saved; the cell hears it as well.
fn listen() -> Result<Arc<AtomicBool>, ProgramError> {
    let asked = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // The second signal finds the flag set and ends the program at once.
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&asked))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&asked)))
            .map_err(|source| ProgramError::Signals { source })?;
    }
    Ok(asked)
}

fn describe(event: &Event) -> String {
    match event {
        Event::Skipped { cell, failed: None } => format!("{}: finished earlier", cell.name),
        Event::Skipped { cell, failed: Some(error) } => {
            format!("{}: failed earlier ({error}); --retry-failed runs it again", cell.name)
        }
        Event::Started { cell, number, total, resumed } => {
            let verb = if *resumed { "resuming" } else { "starting" };
            format!("[{number}/{total}] {verb} {}", cell.name)
        }
        Event::Finished { cell } => format!("{}: finished", cell.name),
        Event::Failed { cell, error } => format!("{}: failed: {error}", cell.name),
    }
}

fn summary(outcome: &Outcome, file: &std::path::Path) -> String {
    let mut text =
        format!("{} finished, {} failed, {} left", outcome.finished, outcome.failed, outcome.pending);
    for path in &outcome.files {
        text.push_str(&format!("\nwrote {}", path.display()));
    }
    if outcome.interrupted {
        text.push_str(&format!("\ninterrupted; continue with: mixlab sweep {}", file.display()));
    }
    text
}
