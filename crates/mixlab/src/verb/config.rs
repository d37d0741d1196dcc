//! `mixlab config`: look at a config, and at what a config may hold.

use clap::{Args, Subcommand};
use mixlab_core::config::{KeyDocumentation, keys, nearest, schema};

use crate::arguments::ConfigSource;
use crate::failure::{Exit, Failure, ProgramError};
use crate::input::read_config;
use crate::output::{fold, print, print_json};

/// Show a config with every default filled in, or explain its keys
#[derive(Debug, Args)]
pub struct Config {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print a config complete, each value with where it came from
    #[command(after_long_help = "\
The output is itself a config.

Example:
  mixlab config show configs/quickstart.toml --set model.width=128")]
    Show {
        #[command(flatten)]
        source: ConfigSource,
        /// Print JSON without the origins
        #[arg(long)]
        json: bool,
    },
    /// Explain config keys: type, default, meaning
    #[command(after_long_help = "\
Example:
  mixlab config explain model.mixer")]
    Explain {
        /// A key or table; all keys if absent
        key: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON schema of configs, for editors
    #[command(after_long_help = "\
Example:
  mixlab config schema > mixlab.schema.json")]
    Schema,
}

impl Config {
    pub fn run(self) -> Result<Exit, Failure> {
        match self.action {
            Action::Show { source, json } => show(&source, json)?,
            Action::Explain { key, json } => explain(key.as_deref(), json)?,
            Action::Schema => print_json(&schema::<mixlab_train::Config>())?,
        }
        Ok(Exit::Done)
    }
}

fn show(source: &ConfigSource, json: bool) -> Result<(), Failure> {
    let resolved = read_config(source)?;
    resolved.value.validate()?;
    if json {
        print_json(&resolved.value)?;
    } else {
        print(&resolved.to_toml())?;
    }
    Ok(())
}

fn explain(wanted: Option<&str>, json: bool) -> Result<(), Failure> {
    let all = keys::<mixlab_train::Config>();
    let inside = |key: &KeyDocumentation, path: &str| {
        key.path == path || key.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'))
    };
    let chosen: Vec<&KeyDocumentation> =
        all.iter().filter(|key| wanted.is_none_or(|path| inside(key, path))).collect();
    if let (Some(path), true) = (wanted, chosen.is_empty()) {
        return Err(no_such_key(path, &all).into());
    }
    if json {
        print_json(&chosen)?;
    } else {
        print(&chosen.iter().map(|key| describe(key)).collect::<Vec<_>>().join("\n"))?;
    }
    Ok(())
}

fn no_such_key(path: &str, all: &[KeyDocumentation]) -> ProgramError {
    let paths: Vec<String> = all.iter().map(|key| key.path.clone()).collect();
    let ending = format!(".{path}");
    let elsewhere = paths.iter().find(|known| known.ends_with(&ending)).cloned();
    ProgramError::NoSuchKey { path: path.to_owned(), nearest: elsewhere.or_else(|| nearest(path, &paths)) }
}

fn describe(key: &KeyDocumentation) -> String {
    let mut text = key.path.clone();
    if let Some(variant) = &key.variant {
        text.push_str(&format!("  (kind {variant})"));
    }
    text.push('\n');
    text.push_str(&fold(&format!("must be {}", key.kind), "    ", 80));
    if let Some(default) = &key.default {
        text.push_str(&format!("    default: {default}\n"));
    }
    text.push_str(&fold(&key.documentation, "    ", 80));
    text
}
