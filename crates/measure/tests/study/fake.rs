//! Runs without training: the loss is a formula of the config, the steps are lines in a file.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use mixlab_measure::study::{Cell, CellEnd, CellError, CellRunner, Place, SweepFile};
use toml::{Table, Value};

pub const STEPS: u64 = 4;

/// Trains by writing lines, resumes after the last whole line.
#[derive(Default)]
pub struct Fake {
    /// The base config.
    pub base: Table,
    /// Time of a step.
    pub pause: Duration,
    /// Steps until the person at the terminal has had enough.
    pub patience: Option<u64>,
    /// The cells that were run, in order.
    pub ran: Vec<String>,
    /// Cells that fail, until repaired.
    pub broken: Vec<String>,
}

impl CellRunner for Fake {
    fn resolve(&mut self, cell: &Cell) -> Result<Table, CellError> {
        let mut config = self.base.clone();
        for (key, value) in &cell.overrides {
            if value.as_str() == Some("impossible") {
                return Err(format!("`{key}` cannot be that").into());
            }
            insert(&mut config, key, value.clone());
        }
        Ok(config)
    }

    fn run(&mut self, cell: &Cell, place: &Place) -> Result<CellEnd, CellError> {
        self.ran.push(cell.name.clone());
        if self.broken.contains(&cell.name) {
            return Err("the loss is NaN at step 3".into());
        }
        if cell.overrides.get("model.kind").and_then(Value::as_str) == Some("panics") {
            panic!("index out of range");
        }
        let config = self.resolve(cell)?;
        fs::create_dir_all(place.folder)?;
        fs::write(place.folder.join("config.toml"), toml::to_string(&config)?)?;
        let mut done = restore(place.folder)?;
        let mut file = File::options().append(true).create(true).open(place.folder.join("metrics.jsonl"))?;
        while done < STEPS {
            if self.patience == Some(0) {
                return Ok(CellEnd::Interrupted);
            }
            self.patience = self.patience.map(|steps| steps - 1);
            done += 1;
            // In two parts, so that a kill can cut a line in the middle.
            let line = line(cell, done);
            let (first, second) = line.split_at(line.len() / 2);
            file.write_all(first.as_bytes())?;
            sleep(self.pause / 2);
            file.write_all(second.as_bytes())?;
            sleep(self.pause / 2);
        }
        Ok(CellEnd::Finished(BTreeMap::from([("peak_memory_mib".to_owned(), 100.0 + cell.seed as f64)])))
    }

    fn interrupted(&self) -> bool {
        self.patience == Some(0)
    }
}

/// Steps whose lines are whole; what follows is cut off.
fn restore(folder: &Path) -> std::io::Result<u64> {
    let path = folder.join("metrics.jsonl");
    let text = if path.exists() { fs::read_to_string(&path)? } else { String::new() };
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    fs::write(&path, &text[..whole])?;
    Ok(text[..whole].lines().count() as u64)
}

fn line(cell: &Cell, step: u64) -> String {
    let width = cell.overrides.get("model.width").and_then(Value::as_integer).unwrap_or(1) as f64;
    let loss = 1.0 / width + cell.seed as f64 / 8.0 + (STEPS - step) as f64;
    format!("{{\"step\":{step},\"split\":\"eval\",\"loss\":{loss},\"bits_per_byte\":{}}}\n", loss * 0.5)
}

pub fn insert(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
        }
        Some((head, rest)) => {
            let inner = table.entry(head).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

/// A sweep of two widths and the given seeds.
pub fn sweep_file(out: &Path, seeds: &[u64]) -> SweepFile {
    let text = format!(
        "title = 'Widths'\nbase = 'base.toml'\nout = {out:?}\nseeds = {seeds:?}\n\
         metrics = ['eval_loss', 'peak_memory_mib']\n\
         [[axis]]\nname = 'width'\nkey = 'model.width'\nvalues = [2, 4]\n"
    );
    SweepFile::parse(Path::new("sweep.toml"), &text).unwrap()
}
