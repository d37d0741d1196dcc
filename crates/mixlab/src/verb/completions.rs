//! `mixlab completions`: a completion script for a shell.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::failure::{Exit, Failure};
use crate::output::print;

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example, for bash:
  mixlab completions bash > ~/.local/share/bash-completion/completions/mixlab")]
pub struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub fn run(self) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "mixlab", &mut script);
        print(&String::from_utf8_lossy(&script))?;
        Ok(Exit::Done)
    }
}
