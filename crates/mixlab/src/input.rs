//! Reading what the user named: configs, text, standard input.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use mixlab_core::config::{Resolved, resolve};
use mixlab_train::Config;

use crate::arguments::ConfigSource;
use crate::failure::{Failure, ProgramError};
use crate::output::tell;

/// The text of a file.
pub fn read_text(path: &Path) -> Result<String, ProgramError> {
    let bytes = fs::read(path).map_err(|source| ProgramError::Read { path: path.to_owned(), source })?;
    String::from_utf8(bytes).map_err(|error| ProgramError::NotText {
        path: path.to_owned(),
        offset: error.utf8_error().valid_up_to(),
    })
}

/// Everything on standard input, without the line break that ends it.
pub fn read_stdin() -> Result<String, ProgramError> {
    let mut text = String::new();
    io::stdin().lock().read_to_string(&mut text).map_err(|source| ProgramError::Stdin { source })?;
    let end = text.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    Ok(end.map_or(text.clone(), str::to_owned))
}

/// The config of a run: its files, then its overrides. What was dropped on the way is told.
pub fn read_config(source: &ConfigSource) -> Result<Resolved<Config>, Failure> {
    let resolved = resolve_config(source)?;
    for note in &resolved.notes {
        tell(&format!("note: {note}"));
    }
    Ok(resolved)
}

/// The same without a word.
pub fn resolve_config(source: &ConfigSource) -> Result<Resolved<Config>, Failure> {
    let mut files = Vec::new();
    for path in &source.files {
        files.push((path.display().to_string(), read_text(path)?));
    }
    Ok(resolve::<Config>(&files, &source.sets.sets)?)
}
