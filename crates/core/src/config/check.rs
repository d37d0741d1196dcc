//! Strictness: the user's values, key by key, against the shape of the configuration.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::ConfigError;
use super::explain::{expected, found};
use super::layer::{Place, join};
use super::shape::{self, Node, Shape, Variant};

/// Checks values against shapes and says where the first wrong one stands.
#[derive(Default)]
pub(crate) struct Checker<'a> {
    places: Option<&'a BTreeMap<String, Place>>,
    /// Every path of the whole configuration, to find a key that was written in the wrong table.
    paths: Vec<String>,
}

impl<'a> Checker<'a> {
    pub fn new(places: &'a BTreeMap<String, Place>, paths: Vec<String>) -> Self {
        Checker { places: Some(places), paths }
    }

    /// Whether a value fits, for callers that do not report.
    pub fn accepts(&self, node: &Node, value: &Value) -> bool {
        self.value(node, value, "").is_ok()
    }

    pub fn table(&self, node: &Node, table: &Table) -> Result<(), ConfigError> {
        self.node_table(node, table, "")
    }

    fn value(&self, node: &Node, value: &Value, path: &str) -> Result<(), ConfigError> {
        match (&node.shape, value) {
            (Shape::Any, _)
            | (Shape::Boolean, Value::Boolean(_))
            | (Shape::Number, Value::Integer(_) | Value::Float(_))
            | (Shape::Text, Value::String(_)) => Ok(()),
            (&Shape::Integer { minimum, maximum }, &Value::Integer(found)) => {
                let fits = minimum.is_none_or(|low| low <= found) && maximum.is_none_or(|high| found <= high);
                if fits { Ok(()) } else { Err(self.out_of_range(node, found, path)) }
            }
            (Shape::Choice(words), Value::String(word)) => {
                if words.contains(word) {
                    Ok(())
                } else {
                    Err(self.unknown_choice(words, word, path))
                }
            }
            (Shape::List(item), Value::Array(values)) => values
                .iter()
                .enumerate()
                .try_for_each(|(i, value)| self.value(item, value, &format!("{path}[{i}]"))),
            (Shape::Table(_) | Shape::Tagged { .. }, Value::Table(table)) => {
                self.node_table(node, table, path)
            }
            (Shape::Union(forms), value) if forms.iter().any(|form| self.accepts(form, value)) => Ok(()),
            _ => Err(self.wrong_type(node, value, path)),
        }
    }

    fn node_table(&self, node: &Node, table: &Table, path: &str) -> Result<(), ConfigError> {
        match &node.shape {
            Shape::Table(keys) => self.keys(keys, table, path, &|name| self.unknown_key(keys, name, path)),
            Shape::Tagged { tag, variants } => {
                let variant = self.chosen(node, tag, variants, table, path)?;
                let unknown = |name: &str| self.key_outside(tag, variant, variants, name, path);
                self.keys(&variant.table, table, path, &unknown)
            }
            _ => Ok(()),
        }
    }

    /// Unknown keys first, then each value, then what is missing.
    fn keys(
        &self,
        keys: &shape::Table,
        table: &Table,
        path: &str,
        unknown: &dyn Fn(&str) -> ConfigError,
    ) -> Result<(), ConfigError> {
        if let Some(name) = table.keys().find(|name| keys.get(name).is_none()) {
            return Err(unknown(name));
        }
        for (name, value) in table {
            if let Some(node) = keys.get(name) {
                self.value(node, value, &join(path, name))?;
            }
        }
        match keys.required.iter().find(|name| !table.contains_key(*name)) {
            Some(name) => Err(missing(keys, name, path)),
            None => Ok(()),
        }
    }

    fn chosen<'v>(
        &self,
        node: &Node,
        tag: &str,
        variants: &'v [Variant],
        table: &Table,
        path: &str,
    ) -> Result<&'v Variant, ConfigError> {
        let names: Vec<String> = variants.iter().map(|v| v.name.clone()).collect();
        let here = join(path, tag);
        match table.get(tag) {
            Some(Value::String(kind)) => variants
                .iter()
                .find(|v| v.name == *kind)
                .ok_or_else(|| self.unknown_choice(&names, kind, &here)),
            Some(other) => {
                let shape = Shape::Choice(names);
                Err(self.wrong_type(&Node { shape, ..node.clone() }, other, &here))
            }
            None => Err(ConfigError::Missing {
                path: here,
                expected: expected(&Shape::Choice(names)),
                documentation: node.documentation.clone(),
            }),
        }
    }

    fn key_outside(
        &self,
        tag: &str,
        chosen: &Variant,
        variants: &[Variant],
        name: &str,
        path: &str,
    ) -> ConfigError {
        let owners: Vec<String> =
            variants.iter().filter(|v| v.table.get(name).is_some()).map(|v| v.name.clone()).collect();
        if owners.is_empty() {
            return self.unknown_key(&chosen.table, name, path);
        }
        let here = join(path, name);
        let valid = chosen.table.names().into_iter().filter(|key| key != tag).collect();
        ConfigError::OtherVariant {
            place: self.place(&here),
            path: here,
            kind: chosen.name.clone(),
            owners,
            valid,
        }
    }

    fn unknown_key(&self, keys: &shape::Table, name: &str, path: &str) -> ConfigError {
        let here = join(path, name);
        let valid = keys.names();
        let beside = nearest(name, &valid).map(|key| join(path, &key));
        let elsewhere = || {
            let ending = format!(".{name}");
            self.paths.iter().find(|p| p.ends_with(&ending) || p.as_str() == name).cloned()
        };
        let nearest = beside.or_else(elsewhere);
        ConfigError::UnknownKey { place: self.place(&here), path: here, nearest, valid }
    }

    fn unknown_choice(&self, words: &[String], word: &str, path: &str) -> ConfigError {
        ConfigError::UnknownChoice {
            path: path.to_owned(),
            place: self.place(path),
            found: format!("{word:?}"),
            nearest: nearest(word, words),
            valid: words.to_vec(),
        }
    }

    fn wrong_type(&self, node: &Node, value: &Value, path: &str) -> ConfigError {
        ConfigError::WrongType {
            path: path.to_owned(),
            place: self.place(path),
            expected: expected(&node.shape),
            found: found(value),
        }
    }

    fn out_of_range(&self, node: &Node, found: i64, path: &str) -> ConfigError {
        ConfigError::OutOfRange {
            path: path.to_owned(),
            place: self.place(path),
            expected: expected(&node.shape),
            found,
        }
    }

    /// The place of a path, or of the nearest list or table around it.
    fn place(&self, path: &str) -> String {
        let Some(places) = self.places else { return String::new() };
        let mut here = path;
        loop {
            if let Some(place) = places.get(here) {
                return place.to_string();
            }
            match here.rfind(['.', '[']) {
                Some(cut) => here = &here[..cut],
                None => return "the configuration".into(),
            }
        }
    }
}

/// Names the innermost key that is missing, not the table around it.
fn missing(keys: &shape::Table, name: &str, path: &str) -> ConfigError {
    let here = join(path, name);
    let node = keys.get(name);
    if let Some(Node { shape: Shape::Table(inner), .. }) = node
        && let Some(first) = inner.required.first()
    {
        return missing(inner, first, &here);
    }
    ConfigError::Missing {
        path: here,
        expected: node.map_or_else(|| "present".into(), |node| expected(&node.shape)),
        documentation: node.map_or_else(String::new, |node| node.documentation.clone()),
    }
}

/// The word that differs by few letters; a third of the length may be wrong.
pub fn nearest(word: &str, words: &[String]) -> Option<String> {
    let scored = words.iter().map(|known| (strsim::damerau_levenshtein(word, known), known));
    let (distance, best) = scored.min_by_key(|&(distance, _)| distance)?;
    let close = distance <= (word.chars().count().max(best.chars().count()) / 3).max(1);
    let contained = word.len() >= 3 && (best.contains(word) || word.contains(best.as_str()));
    (close || contained).then(|| best.clone())
}
