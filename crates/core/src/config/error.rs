//! What can be wrong with a configuration, said so that it can be put right.

use crate::{Diagnose, ExitKind};

/// An error in a configuration file or an override.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// The file is not TOML.
    #[error("{name} line {line}, column {column}: {message}\n\n{excerpt}")]
    Syntax {
        /// The file.
        name: String,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What the parser says.
        message: String,
        /// The line, with a caret under the column.
        excerpt: String,
    },
    /// An override is not `key=value`.
    #[error("--set `{text}`: {reason}")]
    Override {
        /// The override as it was typed.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A key that no part of the program reads.
    #[error("unknown key `{path}` in {place}{}", did_you_mean(nearest))]
    UnknownKey {
        /// Full dotted path.
        path: String,
        /// Where it was written.
        place: String,
        /// The key that was probably meant, as a full path.
        nearest: Option<String>,
        /// Keys valid at that place.
        valid: Vec<String>,
    },
    /// A key that exists, but not for the kind chosen.
    #[error("`{path}` in {place} is not a key of kind `{kind}`; it belongs to {}", list(owners))]
    OtherVariant {
        /// Full dotted path.
        path: String,
        /// Where it was written.
        place: String,
        /// The chosen kind.
        kind: String,
        /// The kinds that have this key.
        owners: Vec<String>,
        /// Keys valid for the chosen kind.
        valid: Vec<String>,
    },
    /// A word outside the permitted ones.
    #[error("`{path}` in {place} is {found}, which is none of {}{}", list(valid), did_you_mean(nearest))]
    UnknownChoice {
        /// Full dotted path.
        path: String,
        /// Where it was written.
        place: String,
        /// What stands there.
        found: String,
        /// The word that was probably meant.
        nearest: Option<String>,
        /// The permitted words.
        valid: Vec<String>,
    },
    /// A value of another type than the key takes.
    #[error("`{path}` in {place} must be {expected}, found {found}")]
    WrongType {
        /// Full dotted path.
        path: String,
        /// Where it was written.
        place: String,
        /// What the key takes.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A number outside its type's range.
    #[error("`{path}` in {place} must be {expected}, found {found}")]
    OutOfRange {
        /// Full dotted path.
        path: String,
        /// Where it was written.
        place: String,
        /// The permitted range in words.
        expected: String,
        /// What stands there.
        found: i64,
    },
    /// A key without a default is absent.
    #[error("`{path}` is missing; it must be {expected}")]
    Missing {
        /// Full dotted path.
        path: String,
        /// What the key takes.
        expected: String,
        /// What the key means.
        documentation: String,
    },
    /// The value passed the schema and was refused by the type itself.
    #[error("the configuration cannot be used: {message}")]
    Refused {
        /// What the type says.
        message: String,
    },
}

impl Diagnose for ConfigError {
    fn hint(&self) -> Option<String> {
        match self {
            ConfigError::Syntax { .. } => {
                Some("values are TOML: text in quotes, numbers and true/false bare, lists in [ ]".into())
            }
            ConfigError::Override { .. } => {
                Some("write an override as --set table.key=value, for example --set train.steps=200".into())
            }
            ConfigError::UnknownKey { valid, path, .. } => {
                let parent = path.rsplit_once('.').map_or("the top level".into(), |(p, _)| format!("`{p}`"));
                Some(format!("valid keys of {parent}: {}", valid.join(", ")))
            }
            ConfigError::OtherVariant { kind, valid, .. } => {
                Some(format!("keys of kind `{kind}`: {}", valid.join(", ")))
            }
            ConfigError::UnknownChoice { path, .. } | ConfigError::OutOfRange { path, .. } => {
                Some(format!("`mixlab config explain {path}` tells what the key means"))
            }
            ConfigError::WrongType { path, expected, found, .. } => Some(type_hint(path, expected, found)),
            ConfigError::Missing { documentation, path, .. } if documentation.is_empty() => {
                Some(format!("add `{path}` to the file, or give it with --set {path}=…"))
            }
            ConfigError::Missing { documentation, .. } => Some(documentation.replace('\n', " ")),
            ConfigError::Refused { .. } => {
                Some("`mixlab config explain` lists every key with its type and default".into())
            }
        }
    }

    fn exit(&self) -> ExitKind {
        ExitKind::Usage
    }
}

fn type_hint(path: &str, expected: &str, found: &str) -> String {
    if expected.starts_with("a list") && !found.starts_with("a table") {
        return "write a list in square brackets, for example [\"a.txt\", \"b.txt\"]".into();
    }
    if expected.contains("integer") && found.starts_with("the number") {
        return "write a whole number without a decimal point or exponent".into();
    }
    format!("`mixlab config explain {path}` tells what the key means")
}

fn did_you_mean(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or_else(String::new, |key| format!("; did you mean `{key}`?"))
}

/// `a`, `b` or `c`.
fn list(words: &[String]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        None => "nothing".into(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}
