//! `mixlab resume`: go on with a run that was stopped or killed.

use std::path::PathBuf;

use clap::Args;
use mixlab_train::{Interrupt, read_run_config, resume, set_threads};

use super::train::finish;
use crate::failure::{Exit, Failure};
use crate::progress::Display;

/// Go on with a run that was stopped or killed
///
/// The run ends as it would have without the stop, byte for byte. Logs
/// written after the restored checkpoint are cut and written again.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mixlab resume runs/quickstart")]
pub struct Resume {
    /// The run folder
    run: PathBuf,

    /// Print the outcome as JSON, without the sample
    #[arg(long)]
    json: bool,
}

impl Resume {
    pub fn run(self) -> Result<Exit, Failure> {
        let mut display = Display::new();
        let interrupt = Interrupt::on_signals()?;
        // What is wrong with the run is told by what follows.
        if let Ok(config) = read_run_config(&self.run) {
            set_threads(config.run.threads);
        }
        let outcome = resume(&self.run, &mut display, &interrupt);
        display.finish();
        finish(&outcome?, &self.run, &display, self.json)
    }
}
