//! Layers: TOML files and overrides, each read into a table that remembers where its keys stood.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::shape::{Node, Shape};
use super::{ConfigError, Origin};

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub origin: Origin,
    pub line: Option<usize>,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "{} line {line}", self.origin),
            None => write!(f, "{}", self.origin),
        }
    }
}

/// One source of values.
pub(crate) struct Layer {
    pub table: Table,
    pub origin: Origin,
    /// The line of every key, by dotted path.
    pub lines: BTreeMap<String, usize>,
}

/// Reads one TOML file.
pub(crate) fn file_layer(name: &str, text: &str) -> Result<Layer, ConfigError> {
    // A byte-order mark is invisible in every editor: taking it off is kinder than an error about it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let table: Table = text.parse().map_err(|e: toml::de::Error| syntax(name, text, &e))?;
    let mut lines = BTreeMap::new();
    if let Ok(document) = toml_edit::Document::parse(text) {
        key_lines(document.as_table(), "", text, &mut lines);
    }
    Ok(Layer { table, origin: Origin::File(name.to_owned()), lines })
}

fn syntax(name: &str, text: &str, error: &toml::de::Error) -> ConfigError {
    let start = error.span().map_or(0, |span| span.start).min(text.len());
    let before = text.get(..start).unwrap_or("");
    let line = before.matches('\n').count() + 1;
    let content = text.lines().nth(line - 1).unwrap_or("");
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    let gutter = line.to_string();
    let blank = " ".repeat(gutter.len());
    // Tabs keep their width so that the caret stands under the character it means.
    let lead: String = content.chars().take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    let excerpt = format!("{blank} |\n{gutter} | {content}\n{blank} | {lead}^");
    let message = error.message().lines().collect::<Vec<_>>().join(", ");
    ConfigError::Syntax { name: name.to_owned(), line, column, message, excerpt }
}

fn key_lines(
    table: &dyn toml_edit::TableLike,
    prefix: &str,
    text: &str,
    lines: &mut BTreeMap<String, usize>,
) {
    for (name, item) in table.iter() {
        let path = join(prefix, name);
        let key_start = table.key(name).and_then(|key| key.span()).or_else(|| item.span());
        if let Some(before) = key_start.and_then(|span| text.get(..span.start)) {
            lines.insert(path.clone(), before.matches('\n').count() + 1);
        }
        if let Some(inner) = item.as_table_like() {
            key_lines(inner, &path, text, lines);
        }
    }
}

/// Reads all overrides into one layer; a later override of the same key wins.
pub(crate) fn override_layer(sets: &[String], root: &Node) -> Result<Layer, ConfigError> {
    let mut table = Table::new();
    for text in sets {
        let (path, raw) = split(text)?;
        let value = parse_value(text, raw, shape_at(root, &path))?;
        insert(&mut table, &path, value).map_err(|reason| bad(text, reason))?;
    }
    Ok(Layer { table, origin: Origin::Set, lines: BTreeMap::new() })
}

fn bad(text: &str, reason: impl Into<String>) -> ConfigError {
    ConfigError::Override { text: text.to_owned(), reason: reason.into() }
}

fn split(text: &str) -> Result<(Vec<String>, &str), ConfigError> {
    let (key, value) = text.split_once('=').ok_or_else(|| bad(text, "there is no `=`"))?;
    let keys = toml_edit::Key::parse(key.trim()).map_err(|_| bad(text, "the key is not a dotted path"))?;
    Ok((keys.iter().map(|key| key.get().to_owned()).collect(), value.trim()))
}

/// A TOML value, or a bare word that stands for text.
fn parse_value(text: &str, raw: &str, expected: Option<&Shape>) -> Result<Value, ConfigError> {
    if raw.is_empty() {
        return Err(bad(text, "there is no value after `=`; empty text is written ''"));
    }
    let document = format!("value = {raw}");
    let parsed = document.parse::<Table>().ok().filter(|t| t.len() == 1).and_then(|mut t| t.remove("value"));
    let wants_text = matches!(expected, Some(Shape::Text | Shape::Choice(_)));
    match parsed {
        // A model folder may be called 2024: where only text fits, what was typed is text.
        Some(Value::String(word)) => Ok(Value::String(word)),
        Some(_) if wants_text && !raw.starts_with(['[', '{']) => Ok(Value::String(raw.to_owned())),
        Some(value) => Ok(value),
        None if raw.starts_with(['[', '{', '"', '\'']) => {
            Err(bad(text, "the value starts like TOML and does not end like it"))
        }
        None => Ok(Value::String(raw.to_owned())),
    }
}

/// The shape at a path, as far as it does not depend on the kind chosen.
fn shape_at<'a>(root: &'a Node, path: &[String]) -> Option<&'a Shape> {
    let mut candidates = vec![&root.shape];
    for key in path {
        candidates = candidates.into_iter().flat_map(|shape| children(shape, key)).collect();
    }
    candidates.first().copied()
}

fn children<'a>(shape: &'a Shape, key: &str) -> Vec<&'a Shape> {
    match shape {
        Shape::Table(table) => table.get(key).map(|node| &node.shape).into_iter().collect(),
        Shape::Tagged { variants, .. } => {
            variants.iter().filter_map(|v| v.table.get(key)).map(|node| &node.shape).collect()
        }
        Shape::Union(nodes) => nodes.iter().flat_map(|node| children(&node.shape, key)).collect(),
        _ => Vec::new(),
    }
}

fn insert(table: &mut Table, path: &[String], value: Value) -> Result<(), String> {
    let Some((last, parents)) = path.split_last() else { return Err("the key is empty".into()) };
    let mut here = table;
    for key in parents {
        let next = here.entry(key.clone()).or_insert_with(|| Value::Table(Table::new()));
        here = next.as_table_mut().ok_or_else(|| format!("`{key}` was already set to a single value"))?;
    }
    match (here.get_mut(last), value) {
        (Some(Value::Table(old)), Value::Table(new)) => old.extend(new),
        (_, value) => {
            here.insert(last.clone(), value);
        }
    }
    Ok(())
}

/// One more step of a dotted path; a key with other characters than a bare key's is quoted.
pub(crate) fn join(prefix: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let key = if bare { key.to_owned() } else { format!("{key:?}") };
    if prefix.is_empty() { key } else { format!("{prefix}.{key}") }
}
