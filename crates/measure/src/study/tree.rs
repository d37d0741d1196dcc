//! A config as a flat list of dotted keys, the form in which configs are compared.

use std::collections::BTreeMap;

use mixlab_core::hash64;
use toml::{Table, Value};

/// Every leaf of a tree by its dotted path. Arrays are leaves; an empty table is one too, so that it
/// is not mistaken for an absent key.
pub(super) fn flatten(table: &Table) -> BTreeMap<String, Value> {
    let mut flat = BTreeMap::new();
    visit("", table, &mut flat);
    flat
}

fn visit(prefix: &str, table: &Table, flat: &mut BTreeMap<String, Value>) {
    for (key, value) in table {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Table(inner) if !inner.is_empty() => visit(&path, inner, flat),
            leaf => {
                flat.insert(path, leaf.clone());
            }
        }
    }
}

/// The flat form with values as TOML literals: independent of the order and spelling in the file.
pub(super) fn literals(table: &Table) -> BTreeMap<String, String> {
    flatten(table).into_iter().map(|(key, value)| (key, value.to_string())).collect()
}

/// A short name of a config: equal configs have equal fingerprints, for ever.
pub(super) fn fingerprint(config: &BTreeMap<String, String>) -> String {
    let lines: String = config.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
    format!("{:016x}", hash64(lines.as_bytes()))
}

/// Keys whose values differ: key, left, right.
pub(super) fn differences(
    left: &BTreeMap<String, String>,
    right: &BTreeMap<String, String>,
) -> Vec<(String, Option<String>, Option<String>)> {
    let mut keys: Vec<&String> = left.keys().chain(right.keys()).collect();
    keys.sort();
    keys.dedup();
    keys.into_iter()
        .filter(|key| left.get(*key) != right.get(*key))
        .map(|key| (key.clone(), left.get(key).cloned(), right.get(key).cloned()))
        .collect()
}

/// A value as a person would write it in a table: text without quotation marks.
pub(super) fn label(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(label).collect::<Vec<_>>().join("+"),
        // Unlike TOML's spelling, Rust's debug form has an exponent where zeros would be counted.
        Value::Float(number) => format!("{number:?}"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Table {
        text.parse().unwrap()
    }

    #[test]
    fn spelling_and_order_do_not_change_the_fingerprint() {
        let one = literals(&parse("[train]\nsteps = 1_000\nrate = 1e-3\n[run]\nseed = 1"));
        let two = literals(&parse("run.seed = 1\ntrain = { rate = 0.001, steps = 1000 }"));
        assert_eq!(fingerprint(&one), fingerprint(&two));
        let three = literals(&parse("run.seed = 1\ntrain = { rate = 0.001, steps = 1001 }"));
        assert_ne!(fingerprint(&one), fingerprint(&three));
    }

    #[test]
    fn differences_name_changed_absent_and_new_keys() {
        let left = literals(&parse("a = 1\nb = 2\nc = 3"));
        let right = literals(&parse("a = 1\nb = 4\nd = 5"));
        let some = |v: &str| Some(v.to_owned());
        assert_eq!(
            differences(&left, &right),
            [
                ("b".to_owned(), some("2"), some("4")),
                ("c".to_owned(), some("3"), None),
                ("d".to_owned(), None, some("5")),
            ]
        );
    }

    #[test]
    fn labels_are_what_a_person_writes() {
        let table = parse("text = 'gau'\nlist = [1, 'a']\nfloat = 2.0\nsmall = 1e-5");
        assert_eq!(label(&table["text"]), "gau");
        assert_eq!(label(&table["list"]), "1+a");
        assert_eq!(label(&table["float"]), "2.0");
        assert_eq!(label(&table["small"]), "1e-5");
    }
}
