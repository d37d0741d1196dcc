//! From axes to cells.

use std::collections::{BTreeMap, BTreeSet};

use toml::Value;

use super::error::StudyError;
use super::file::{Axis, SweepFile};
use super::tree::{flatten, label};

/// The config key that seeds set.
pub const SEED_KEY: &str = "run.seed";
/// File systems take names of 255 bytes; state files and their partial forms add an ending.
const LONGEST_NAME: usize = 200;

/// One run of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// Unique and stable: `axis=value,…,seed=1` with the axes in alphabetical order, so that
    /// re-ordering the sweep file renames nothing. The name of the run's folder.
    pub name: String,
    /// The value of each axis, in the order of [`Grid::axes`].
    pub coordinates: Vec<String>,
    /// The seed.
    pub seed: u64,
    /// Dotted config keys and their values, the seed included.
    pub overrides: BTreeMap<String, Value>,
}

impl Cell {
    /// The overrides as `key=value`, the form of `--set`.
    pub fn sets(&self) -> Vec<String> {
        self.overrides.iter().map(|(key, value)| format!("{key}={value}")).collect()
    }
}

/// All cells of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// Names of the axes, in file order.
    pub axes: Vec<String>,
    /// The combinations of axis values in the order of the table, last axis fastest.
    pub groups: Vec<Vec<String>>,
    /// The cells in the order they are run: every combination with the first seed, then every
    /// combination with the second, so that an early table compares all of them.
    pub cells: Vec<Cell>,
}

/// A value of an axis: what it is called and what it sets.
struct Choice {
    label: String,
    overrides: BTreeMap<String, Value>,
}

impl Grid {
    /// Expands a sweep file.
    ///
    /// # Errors
    /// Empty or repeated seeds, axes and values; an axis of the wrong shape; one key set from two
    /// places; names that cannot be folders.
    pub fn new(file: &SweepFile) -> Result<Grid, StudyError> {
        check_seeds(&file.seeds)?;
        let axes: Vec<Vec<Choice>> = file.axis.iter().map(choices).collect::<Result<_, _>>()?;
        check_axes(file, &axes)?;
        let combinations = product(&axes);
        let mut cells = Vec::with_capacity(combinations.len() * file.seeds.len());
        for seed in &file.seeds {
            for combination in &combinations {
                cells.push(cell(file, combination, *seed)?);
            }
        }
        let mut names = BTreeSet::new();
        if let Some(cell) = cells.iter().find(|cell| !names.insert(cell.name.as_str())) {
            return Err(StudyError::SameFolder { cell: cell.name.clone() });
        }
        let labels = |combination: &Vec<&Choice>| combination.iter().map(|c| c.label.clone()).collect();
        Ok(Grid {
            axes: file.axis.iter().map(|axis| axis.name.clone()).collect(),
            groups: combinations.iter().map(labels).collect(),
            cells,
        })
    }
}

fn check_seeds(seeds: &[u64]) -> Result<(), StudyError> {
    if seeds.is_empty() {
        return Err(StudyError::Empty { what: "the list `seeds`".to_owned() });
    }
    let mut seen = BTreeSet::new();
    match seeds.iter().find(|seed| !seen.insert(**seed)) {
        Some(seed) => Err(StudyError::Twice { what: "seed".to_owned(), value: seed.to_string() }),
        None => Ok(()),
    }
}

/// The values of one axis.
fn choices(axis: &Axis) -> Result<Vec<Choice>, StudyError> {
    let choices: Vec<Choice> = match (&axis.key, axis.values.is_empty(), axis.options.is_empty()) {
        (Some(key), _, true) => axis
            .values
            .iter()
            .map(|value| Choice { label: label(value), overrides: one(key, value) })
            .collect(),
        (None, true, _) => axis
            .options
            .iter()
            .map(|option| Choice { label: option.name.clone(), overrides: flatten(&option.set) })
            .collect(),
        _ => return Err(StudyError::AxisShape { axis: axis.name.clone() }),
    };
    if choices.is_empty() {
        return Err(StudyError::Empty { what: format!("axis `{}`", axis.name) });
    }
    let mut seen = BTreeSet::new();
    match choices.iter().find(|choice| !seen.insert(choice.label.as_str())) {
        Some(twice) => Err(StudyError::Twice {
            what: format!("value of axis `{}`", axis.name),
            value: twice.label.clone(),
        }),
        None => Ok(choices),
    }
}

/// One override; a table as value sets the keys under it.
fn one(key: &str, value: &Value) -> BTreeMap<String, Value> {
    match value {
        Value::Table(table) => {
            flatten(table).into_iter().map(|(inner, value)| (format!("{key}.{inner}"), value)).collect()
        }
        leaf => BTreeMap::from([(key.to_owned(), leaf.clone())]),
    }
}

/// Axis names are names, and no key is set from two places.
fn check_axes(file: &SweepFile, axes: &[Vec<Choice>]) -> Result<(), StudyError> {
    let mut owners: BTreeMap<String, String> = BTreeMap::new();
    owners.insert(SEED_KEY.to_owned(), "`seeds`".to_owned());
    let mut names = BTreeSet::new();
    let keys_of_set: BTreeSet<String> = flatten(&file.set).into_keys().collect();
    let mut parts = vec![("`[set]`".to_owned(), keys_of_set)];
    for (axis, choices) in file.axis.iter().zip(axes) {
        if axis.name.is_empty() || axis.name == "seed" || !axis.name.chars().all(is_plain) {
            return Err(StudyError::Name { name: axis.name.clone() });
        }
        if !names.insert(&axis.name) {
            return Err(StudyError::Twice { what: "axis".to_owned(), value: axis.name.clone() });
        }
        let keys = choices.iter().flat_map(|choice| choice.overrides.keys().cloned()).collect();
        parts.push((format!("axis `{}`", axis.name), keys));
    }
    for (owner, keys) in parts {
        for key in keys {
            if let Some(first) = owners.insert(key.clone(), owner.clone()) {
                return Err(StudyError::Contested { key, first, second: owner });
            }
        }
    }
    Ok(())
}

/// Every combination of one choice per axis, last axis fastest; of no axes, the one empty combination.
fn product(axes: &[Vec<Choice>]) -> Vec<Vec<&Choice>> {
    axes.iter().fold(vec![Vec::new()], |prefixes, choices| {
        let extend = |prefix: &Vec<_>| {
            let prefix = prefix.clone();
            choices.iter().map(move |choice| [prefix.as_slice(), &[choice]].concat())
        };
        prefixes.iter().flat_map(extend).collect()
    })
}

fn cell(file: &SweepFile, combination: &[&Choice], seed: u64) -> Result<Cell, StudyError> {
    let mut overrides = flatten(&file.set);
    let mut parts: Vec<String> = Vec::new();
    for (axis, choice) in file.axis.iter().zip(combination) {
        overrides.extend(choice.overrides.clone());
        let plain = |c: char| if is_plain(c) || c == '+' { c } else { '_' };
        parts.push(format!("{}={}", axis.name, choice.label.chars().map(plain).collect::<String>()));
    }
    // Exact: the seed was read from TOML, whose whole numbers are signed 64-bit.
    overrides.insert(SEED_KEY.to_owned(), Value::Integer(seed as i64));
    parts.sort();
    parts.push(format!("seed={seed}"));
    let name = parts.join(",");
    if name.len() > LONGEST_NAME {
        return Err(StudyError::LongName { length: name.len(), limit: LONGEST_NAME, cell: name });
    }
    let coordinates = combination.iter().map(|choice| choice.label.clone()).collect();
    Ok(Cell { name, coordinates, seed, overrides })
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn grid(tail: &str) -> Result<Grid, StudyError> {
        let text = format!("base = 'b'\nout = 'o'\nseeds = [1, 2]\nmetrics = ['seconds']\n{tail}");
        Grid::new(&SweepFile::parse(Path::new("s.toml"), &text).unwrap())
    }

    const MIXER: &str = "[[axis]]\nname = 'mixer'\nkey = 'model.mixer.kind'\nvalues = ['gau', 'flash']\n";
    const SIZE: &str = "[[axis]]\nname = 'depth'\noptions = [{ name = 'deep', set = { model.depth = 8, \
                        train.rate = 1e-3 } }, { name = 'base' }]\n";

    #[test]
    fn names_do_not_depend_on_the_order_of_the_file() {
        let names = |text: &str| -> BTreeSet<String> {
            grid(text).unwrap().cells.into_iter().map(|cell| cell.name).collect()
        };
        let one = names(&format!("{MIXER}{SIZE}"));
        assert_eq!(one, names(&format!("{SIZE}{MIXER}")));
        assert_eq!(one.len(), 8);
        assert!(one.contains("depth=deep,mixer=gau,seed=2"));
    }

    #[test]
    fn cells_carry_their_overrides_and_run_seed_by_seed() {
        let grid = grid(&format!("set.train.steps = 10\n{MIXER}{SIZE}")).unwrap();
        assert_eq!(grid.axes, ["mixer", "depth"]);
        assert_eq!(grid.groups[1], ["gau", "base"]);
        assert_eq!(grid.cells.iter().map(|cell| cell.seed).collect::<Vec<_>>(), [1, 1, 1, 1, 2, 2, 2, 2]);
        assert_eq!(
            grid.cells[4].sets(),
            ["model.depth=8", "model.mixer.kind=\"gau\"", "run.seed=2", "train.rate=0.001", "train.steps=10"]
        );
    }

    #[test]
    fn a_sweep_without_axes_is_its_seeds() {
        let grid = grid("").unwrap();
        assert_eq!(grid.groups, [Vec::<String>::new()]);
        assert_eq!(grid.cells[1].name, "seed=2");
    }

    #[test]
    fn values_become_folder_names() {
        let grid =
            grid("[[axis]]\nname = 'data'\nkey = 'data.train'\nvalues = [['a/b.txt'], ['c d']]").unwrap();
        assert_eq!(grid.cells[0].name, "data=a_b.txt,seed=1");
        assert_eq!(grid.groups[0], ["a/b.txt"]);
    }

    #[test]
    fn mistakes_are_refused() {
        let axis = |name: &str, rest: &str| format!("[[axis]]\nname = '{name}'\n{rest}\n");
        for (tail, message) in [
            (axis("a", "key = 'k'\nvalues = []"), "axis `a` is empty"),
            (axis("a", "key = 'k'"), "axis `a` is empty"),
            (axis("a", "values = [1]"), "either `key` and `values`"),
            (axis("a", "key = 'k'\noptions = [{ name = 'x' }]"), "either `key` and `values`"),
            (axis("a", "key = 'k'\nvalues = [1, 1]"), "`1` is given twice"),
            (axis("a", "key = 'run.seed'\nvalues = [1]"), "both by `seeds` and by axis `a`"),
            (axis("a=b", "key = 'k'\nvalues = [1]"), "cannot name an axis"),
            (axis("seed", "key = 'k'\nvalues = [1]"), "cannot name an axis"),
            (axis("a", "key = 'k'\nvalues = ['x/y', 'x y']"), "two cells are called"),
            (format!("set.k = 1\n{}", axis("a", "key = 'k'\nvalues = [1]")), "both by `[set]` and by axis"),
            (format!("{MIXER}{MIXER}"), "axis `mixer` is given twice"),
        ] {
            let error = grid(&tail).unwrap_err().to_string();
            assert!(error.contains(message), "{message}: {error}");
        }
    }

    #[test]
    fn names_that_no_file_system_takes_are_refused() {
        let long = "x".repeat(200);
        let error = grid(&format!("[[axis]]\nname = 'a'\nkey = 'k'\nvalues = ['{long}']")).unwrap_err();
        assert!(error.to_string().contains("has 209 bytes, the limit is 200"), "{error}");
    }
}
