//! Strict, layered configuration.
//!
//! Values come from the type's defaults, then TOML files, then `--set` overrides; a later layer wins
//! key by key. Every key the user writes must exist, with a value of its type: a misspelt key is an
//! error that names the nearest valid one, never a silent default. The result remembers where every
//! value came from, and writes itself as TOML that resolves to the same value again.
//!
//! ```
//! use mixlab_core::config::{Origin, resolve};
//!
//! #[derive(Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
//! #[serde(default)]
//! struct Config {
//!     /// Number of updates.
//!     steps: u64,
//! }
//!
//! let file = ("run.toml".to_owned(), "steps = 100".to_owned());
//! let resolved = resolve::<Config>(&[file.clone()], &["steps=200".into()]).unwrap();
//! assert_eq!(resolved.value.steps, 200);
//! assert_eq!(resolved.origins["steps"], Origin::Set);
//!
//! let error = resolve::<Config>(&[file], &["stesp=200".into()]).map(|r| r.value.steps).unwrap_err();
//! assert_eq!(error.to_string(), "unknown key `stesp` in --set; did you mean `steps`?");
//! ```

mod check;
mod error;
mod explain;
mod layer;
mod merge;
mod render;
mod shape;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

pub use check::nearest;
pub use error::ConfigError;
pub use explain::{KeyDocumentation, keys};
pub use shape::schema;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The type's own default.
    Default,
    /// A file, by the name it was given.
    File(String),
    /// An override on the command line.
    Set,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(name) => f.write_str(name),
            Origin::Set => f.write_str("--set"),
        }
    }
}

/// A configuration with nothing left open.
#[derive(Clone, Debug)]
pub struct Resolved<T> {
    /// The configuration.
    pub value: T,
    /// The same as a complete table, defaults filled in. Absent optional values have no key.
    pub tree: Table,
    /// The origin of every leaf of `tree`, by dotted path. Lists are leaves.
    pub origins: BTreeMap<String, Origin>,
    /// What was dropped while layering, in words: keys of a kind that a later layer replaced.
    pub notes: Vec<String>,
    /// `tree` as text in the order of the type's fields.
    ordered: String,
}

/// Resolves a configuration from files, lowest priority first, and overrides `a.b=value`.
///
/// A value of an override is TOML; what is not TOML is a bare word and stands for text.
///
/// # Errors
/// [`ConfigError`] for the first thing that is wrong. Ranges and combinations are the type's own
/// concern and are not checked here.
pub fn resolve<T: Serialize + DeserializeOwned + JsonSchema>(
    files: &[(String, String)],
    sets: &[String],
) -> Result<Resolved<T>, ConfigError> {
    let root = shape::shape_of::<T>();
    let mut merged = merge::Merged::default();
    for (name, text) in files {
        merged.lay(&root, layer::file_layer(name, text)?);
    }
    merged.lay(&root, layer::override_layer(sets, &root)?);
    merge::fill_default_kinds(&root, &mut merged.table);
    check::Checker::new(&merged.places, explain::paths(&root)).table(&root, &merged.table)?;

    let value: T = Value::Table(merged.table).try_into().map_err(refused)?;
    let tree = Table::try_from(&value).map_err(refused)?;
    let ordered = toml::to_string(&value).map_err(refused)?;
    let mut origins = BTreeMap::new();
    leaf_origins(&tree, "", &merged.places, &mut origins);
    Ok(Resolved { value, tree, origins, notes: merged.notes, ordered })
}

fn refused(error: impl fmt::Display) -> ConfigError {
    ConfigError::Refused { message: error.to_string().trim_end().to_owned() }
}

fn leaf_origins(
    table: &Table,
    prefix: &str,
    places: &BTreeMap<String, layer::Place>,
    origins: &mut BTreeMap<String, Origin>,
) {
    for (name, value) in table {
        let path = layer::join(prefix, name);
        if let Value::Table(inner) = value {
            leaf_origins(inner, &path, places, origins);
        } else {
            let origin = places.get(&path).map_or(Origin::Default, |place| place.origin.clone());
            origins.insert(path, origin);
        }
    }
}

impl<T> Resolved<T> {
    /// The complete configuration as TOML in the order of the type's fields, each value followed by
    /// its origin as a comment. It is itself a valid input and resolves to the same value.
    pub fn to_toml(&self) -> String {
        match toml_edit::Document::parse(self.ordered.as_str()) {
            Ok(document) => render::document(document.as_table(), &self.origins),
            // Text that our own serialiser wrote always parses; without comments it is still valid.
            Err(_) => self.ordered.clone(),
        }
    }
}
