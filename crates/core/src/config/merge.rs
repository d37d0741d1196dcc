//! Laying one source of values over the lower ones.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::check::Checker;
use super::layer::{Layer, Place, join};
use super::shape::{self, Node, Shape};

/// All layers so far: the values, and where each was written.
#[derive(Default)]
pub(crate) struct Merged {
    pub table: Table,
    pub places: BTreeMap<String, Place>,
    /// What was dropped on the way, for the user to read.
    pub notes: Vec<String>,
}

impl Merged {
    pub fn lay(&mut self, root: &Node, layer: Layer) {
        let mut table = std::mem::take(&mut self.table);
        let source = (&layer.origin, &layer.lines);
        self.lay_table(Some(root), &mut table, layer.table, "", source);
        self.table = table;
    }

    fn lay_table(
        &mut self,
        node: Option<&Node>,
        under: &mut Table,
        over: Table,
        path: &str,
        source: (&super::Origin, &BTreeMap<String, usize>),
    ) {
        if let Some(node) = node {
            self.change_kind(node, under, &over, path, source.0);
        }
        for (name, value) in over {
            let here = join(path, &name);
            let place = Place { origin: source.0.clone(), line: source.1.get(&here).copied() };
            let child = node.and_then(|node| key_of(node, under, &name));
            match (under.get_mut(&name), value) {
                (Some(Value::Table(under)), Value::Table(over)) => {
                    self.lay_table(child, under, over, &here, source);
                }
                (_, Value::Table(over)) => {
                    self.forget(&here);
                    let mut fresh = Table::new();
                    self.lay_table(child, &mut fresh, over, &here, source);
                    under.insert(name, Value::Table(fresh));
                }
                (_, value) => {
                    self.forget(&here);
                    under.insert(name, value);
                }
            }
            self.places.insert(here, place);
        }
    }

    /// When a layer changes a table's kind, keys that only the old kind has leave with it.
    ///
    /// Only keys of lower layers can be in `under`, so a key given together with the new kind is
    /// never dropped; and a key that no kind has stays, to be reported as unknown.
    fn change_kind(&mut self, node: &Node, under: &mut Table, over: &Table, path: &str, by: &super::Origin) {
        let Shape::Tagged { tag, variants } = &node.shape else { return };
        let Some(new) = over.get(tag).and_then(Value::as_str).and_then(|kind| node.shape.variant(kind))
        else {
            return;
        };
        let old = under.get(tag).and_then(Value::as_str).or_else(|| default_tag(node, tag));
        let Some(old) = old.and_then(|kind| variants.iter().find(|v| v.name == kind)) else { return };
        if old.name == new.name {
            return;
        }
        let stale: Vec<String> = under
            .iter()
            .filter(|(name, _)| *name != tag && old.table.get(name).is_some())
            .filter(|(name, value)| {
                new.table.get(name).is_none_or(|node| !Checker::default().accepts(node, value))
            })
            .map(|(name, _)| name.clone())
            .collect();
        for name in stale {
            let here = join(path, &name);
            let place = self.places.get(&here).map_or_else(String::new, |place| format!(" from {place}"));
            self.notes.push(format!(
                "`{here}`{place} belongs to kind `{}` and was dropped: {by} chose kind `{}`",
                old.name, new.name
            ));
            under.remove(&name);
            self.forget(&here);
        }
    }

    fn forget(&mut self, path: &str) {
        let below = format!("{path}.");
        self.places.retain(|known, _| known != path && !known.starts_with(&below));
    }
}

/// The kind of a tagged table that does not name one, where the schema gives a default.
pub(crate) fn default_tag<'a>(node: &'a Node, tag: &str) -> Option<&'a str> {
    node.default.as_ref()?.get(tag)?.as_str()
}

fn key_of<'a>(node: &'a Node, table: &Table, key: &str) -> Option<&'a Node> {
    match &node.shape {
        Shape::Table(keys) => keys.get(key),
        Shape::Tagged { tag, .. } => {
            let kind = table.get(tag).and_then(Value::as_str).or_else(|| default_tag(node, tag))?;
            node.shape.variant(kind).and_then(|variant: &shape::Variant| variant.table.get(key))
        }
        _ => None,
    }
}

/// Writes the default kind into every tagged table that names none, so that a file may change one
/// key of the default kind without repeating it.
pub(crate) fn fill_default_kinds(node: &Node, table: &mut Table) {
    if let Shape::Tagged { tag, .. } = &node.shape
        && !table.contains_key(tag)
        && let Some(kind) = default_tag(node, tag)
    {
        table.insert(tag.clone(), Value::String(kind.to_owned()));
    }
    let names: Vec<String> = table.keys().cloned().collect();
    for name in names {
        let child = key_of(node, table, &name);
        if let (Some(child), Some(Value::Table(inner))) = (child, table.get_mut(&name)) {
            fill_default_kinds(child, inner);
        }
    }
}
