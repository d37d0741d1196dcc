//! Configurations in words: what each key takes, and what stands there instead.

use schemars::JsonSchema;
use toml::Value;

use super::layer::join;
use super::render::inline_json;
use super::shape::{Node, Shape, Table, shape_of};

/// One key of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct KeyDocumentation {
    /// Full dotted path.
    pub path: String,
    /// For a key of one variant of a tagged table: the kind it belongs to.
    pub variant: Option<String>,
    /// What the key takes, in words.
    pub kind: String,
    /// The value when the key is absent, as TOML. Absent optional values have none.
    pub default: Option<String>,
    /// What the key means.
    pub documentation: String,
}

/// Every key of a configuration type, tables before their keys, in the schema's order.
pub fn keys<T: JsonSchema>() -> Vec<KeyDocumentation> {
    let root = shape_of::<T>();
    let mut keys = Vec::new();
    walk(&root, "", None, root.default.as_ref(), &mut keys);
    keys
}

pub(crate) fn paths(root: &Node) -> Vec<String> {
    let mut keys = Vec::new();
    walk(root, "", None, None, &mut keys);
    keys.into_iter().map(|key| key.path).collect()
}

type Json = serde_json::Value;

fn walk(
    node: &Node,
    path: &str,
    variant: Option<&str>,
    default: Option<&Json>,
    keys: &mut Vec<KeyDocumentation>,
) {
    let default = node.default.as_ref().or(default);
    if !path.is_empty() {
        let shown = match &node.shape {
            Shape::Table(_) => None,
            Shape::Tagged { tag, .. } => default.and_then(|d| d.get(tag)),
            _ => default,
        };
        keys.push(KeyDocumentation {
            path: path.to_owned(),
            variant: variant.map(str::to_owned),
            kind: expected(&node.shape),
            default: shown.and_then(inline_json),
            documentation: node.documentation.clone(),
        });
    }
    match &node.shape {
        Shape::Table(table) => walk_table(table, None, path, variant, default, keys),
        Shape::Tagged { tag, variants } => {
            for alternative in variants {
                let chosen = default.filter(|d| d.get(tag).and_then(Json::as_str) == Some(&alternative.name));
                keys.push(KeyDocumentation {
                    path: join(path, tag),
                    variant: Some(alternative.name.clone()),
                    kind: format!("\"{}\"", alternative.name),
                    default: None,
                    documentation: alternative.documentation.clone(),
                });
                walk_table(&alternative.table, Some(tag), path, Some(&alternative.name), chosen, keys);
            }
        }
        _ => {}
    }
}

fn walk_table(
    table: &Table,
    tag: Option<&str>,
    path: &str,
    variant: Option<&str>,
    default: Option<&Json>,
    keys: &mut Vec<KeyDocumentation>,
) {
    for (name, node) in table.keys.iter().filter(|(name, _)| Some(name.as_str()) != tag) {
        walk(node, &join(path, name), variant, default.and_then(|d| d.get(name)), keys);
    }
}

/// What a shape takes, in words that follow "must be".
pub(crate) fn expected(shape: &Shape) -> String {
    match shape {
        Shape::Any => "any value".into(),
        Shape::Boolean => "true or false".into(),
        Shape::Integer { minimum: None, maximum: None } => "an integer".into(),
        Shape::Integer { minimum: Some(low), maximum: None } => format!("an integer of at least {low}"),
        Shape::Integer { minimum: None, maximum: Some(high) } => format!("an integer of at most {high}"),
        Shape::Integer { minimum: Some(low), maximum: Some(high) } => {
            format!("an integer from {low} to {high}")
        }
        Shape::Number => "a number".into(),
        Shape::Text => "text".into(),
        Shape::Choice(words) => match words.as_slice() {
            [word] => format!("\"{word}\""),
            _ => format!("one of \"{}\"", words.join("\", \"")),
        },
        Shape::List(item) => match &item.shape {
            Shape::Any => "a list".into(),
            shape => format!("a list, each {}", expected(shape)),
        },
        Shape::Table(_) => "a table".into(),
        Shape::Tagged { tag, variants } => {
            let names: Vec<&str> = variants.iter().map(|v| v.name.as_str()).collect();
            format!("a table whose `{tag}` is one of \"{}\"", names.join("\", \""))
        }
        Shape::Union(forms) => {
            let forms: Vec<String> = forms.iter().map(|form| expected(&form.shape)).collect();
            forms.join(", or ")
        }
    }
}

/// What stands there, in words that follow "found".
pub(crate) fn found(value: &Value) -> String {
    match value {
        Value::String(text) => format!("the text {text:?}"),
        Value::Integer(number) => format!("the integer {number}"),
        Value::Float(number) => format!("the number {number:?}"),
        Value::Boolean(value) => format!("{value}"),
        Value::Datetime(date) => format!("the date {date}"),
        Value::Array(_) => "a list".into(),
        Value::Table(_) => "a table".into(),
    }
}
