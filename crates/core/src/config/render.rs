//! A resolved configuration as TOML text, in the order of the type's fields.

use std::collections::BTreeMap;

use toml::Value;

use super::Origin;
use super::layer::join;

/// Comments stand in one column up to this width, so that a long value does not push all of them out.
const COMMENT_COLUMN: usize = 44;

/// Writes a document of values, each with its origin as a comment.
pub(crate) fn document(root: &dyn toml_edit::TableLike, origins: &BTreeMap<String, Origin>) -> String {
    let mut out = String::new();
    table(root, "", origins, &mut out);
    out
}

fn table(here: &dyn toml_edit::TableLike, path: &str, origins: &BTreeMap<String, Origin>, out: &mut String) {
    let mut lines = Vec::new();
    for (name, item) in here.iter().filter(|(_, item)| item.as_table_like().is_none()) {
        let line = format!("{} = {}", join("", name), inline(&value_of(item)));
        lines.push((line, origins.get(&join(path, name))));
    }
    if !lines.is_empty() && !path.is_empty() {
        out.push_str(&format!("\n[{path}]\n"));
    }
    let fits = lines.iter().map(|(line, _)| line.chars().count()).filter(|&n| n <= COMMENT_COLUMN);
    let column = fits.max().unwrap_or(0);
    for (line, origin) in &lines {
        let origin = origin.map_or_else(|| "default".to_owned(), Origin::to_string);
        out.push_str(&format!("{line:<column$}  # {}\n", one_line(&origin)));
    }
    for (name, item) in here.iter() {
        if let Some(inner) = item.as_table_like() {
            // An empty table of optional keys must still exist where the type requires it.
            if inner.is_empty() {
                out.push_str(&format!("\n[{}]\n", join(path, name)));
            }
            table(inner, &join(path, name), origins, out);
        }
    }
}

/// A file name may hold a line break; a comment may not.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn value_of(item: &toml_edit::Item) -> Value {
    let document = format!("value = {}", item.to_string().trim());
    let parsed = document.parse::<toml::Table>().ok().and_then(|mut table| table.remove("value"));
    // An array of tables has no inline text of its own.
    parsed.unwrap_or_else(|| {
        let tables = item.as_array_of_tables().into_iter().flatten();
        Value::Array(
            tables.filter_map(|t| t.to_string().parse::<toml::Table>().ok()).map(Value::Table).collect(),
        )
    })
}

/// A value on one line.
pub(crate) fn inline(value: &Value) -> String {
    match value {
        Value::Float(number) if number.is_nan() => "nan".into(),
        // `{:?}` is the shortest text that reads back as the same number, with an exponent where short.
        Value::Float(number) => format!("{number:?}"),
        Value::Array(values) => {
            format!("[{}]", values.iter().map(inline).collect::<Vec<_>>().join(", "))
        }
        Value::Table(table) if table.is_empty() => "{}".into(),
        Value::Table(table) => {
            let pairs: Vec<String> =
                table.iter().map(|(key, value)| format!("{} = {}", join("", key), inline(value))).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        other => other.to_string(),
    }
}

/// A JSON default as TOML text. TOML has no null.
pub(crate) fn inline_json(json: &serde_json::Value) -> Option<String> {
    if json.is_null() {
        return None;
    }
    Value::try_from(json).ok().map(|value| inline(&value))
}
