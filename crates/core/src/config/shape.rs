//! What a configuration may look like, read from its JSON schema.
//!
//! The schema that `schemars` derives is a document for other programs. Strictness, layering and
//! documentation need the same facts as a tree that is easy to walk next to a TOML table: this one.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

/// One place of a configuration: what may stand there, and what is known about it.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub shape: Shape,
    pub documentation: String,
    /// The value when the key is absent, as the schema tells it.
    pub default: Option<Value>,
}

/// What may stand at one place.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// Anything: the schema does not say.
    Any,
    Boolean,
    /// A whole number within bounds, both inclusive.
    Integer {
        minimum: Option<i64>,
        maximum: Option<i64>,
    },
    Number,
    Text,
    /// One of a few words.
    Choice(Vec<String>),
    List(Box<Node>),
    Table(Table),
    /// A table of which the key `tag` decides what else it holds.
    Tagged {
        tag: String,
        variants: Vec<Variant>,
    },
    /// One of several forms that no tag tells apart.
    Union(Vec<Node>),
}

/// The keys of a table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub keys: Vec<(String, Node)>,
    pub required: Vec<String>,
    /// What stands under a key that is not listed, when such keys are allowed.
    pub rest: Option<Box<Node>>,
}

/// One alternative of a tagged table. Its `table` includes the tag itself.
#[derive(Clone, Debug)]
pub(crate) struct Variant {
    pub name: String,
    pub documentation: String,
    pub table: Table,
}

/// The JSON schema of a configuration type, as its TOML is read.
pub fn schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_deserialize();
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// The shape of a configuration type.
pub(crate) fn shape_of<T: JsonSchema>() -> Node {
    let root = schema::<T>();
    let definitions = root.get("$defs").and_then(Value::as_object).cloned().unwrap_or_default();
    Reader { definitions: &definitions }.node(&root, 0)
}

impl Node {
    fn any() -> Self {
        Node { shape: Shape::Any, documentation: String::new(), default: None }
    }
}

impl Table {
    pub fn get(&self, key: &str) -> Option<&Node> {
        let listed = self.keys.iter().find(|(name, _)| name == key).map(|(_, node)| node);
        listed.or(self.rest.as_deref())
    }

    pub fn names(&self) -> Vec<String> {
        self.keys.iter().map(|(name, _)| name.clone()).collect()
    }

    fn absorb(&mut self, other: Table) {
        for (name, node) in other.keys {
            if !self.keys.iter().any(|(known, _)| *known == name) {
                self.keys.push((name, node));
            }
        }
        self.required.extend(other.required);
        self.rest = self.rest.take().or(other.rest);
    }
}

impl Shape {
    /// The variant a table of this shape stands for, given its tag.
    pub fn variant(&self, name: &str) -> Option<&Variant> {
        match self {
            Shape::Tagged { variants, .. } => variants.iter().find(|v| v.name == name),
            _ => None,
        }
    }
}

/// Configurations are shallow; a schema deeper than this refers to itself.
const MAX_DEPTH: usize = 24;

struct Reader<'a> {
    definitions: &'a Map<String, Value>,
}

impl Reader<'_> {
    fn node(&self, schema: &Value, depth: usize) -> Node {
        let Some(object) = schema.as_object() else { return Node::any() };
        if depth > MAX_DEPTH {
            return Node::any();
        }
        let mut node = self.referenced(object, depth);
        if let Some(text) = object.get("description").and_then(Value::as_str) {
            node.documentation = text.to_owned();
        }
        if let Some(default) = object.get("default") {
            node.default = Some(default.clone());
        }
        node
    }

    /// Follows `$ref` and one-element `allOf`, laying what stands beside them over the target.
    fn referenced(&self, object: &Map<String, Value>, depth: usize) -> Node {
        let target = object
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|path| self.definitions.get(path.trim_start_matches("#/$defs/")));
        let mut bases: Vec<Node> = target.into_iter().map(|t| self.node(t, depth + 1)).collect();
        for part in object.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            bases.push(self.node(part, depth + 1));
        }
        let own = self.own_shape(object, depth);
        let Some(mut node) = bases.first().cloned() else {
            return Node { shape: own, documentation: String::new(), default: None };
        };
        for shape in bases.into_iter().skip(1).map(|b| b.shape).chain([own]) {
            node.shape = combine(node.shape, shape);
        }
        node
    }

    fn own_shape(&self, object: &Map<String, Value>, depth: usize) -> Shape {
        if let Some(word) = object.get("const").and_then(Value::as_str) {
            return Shape::Choice(vec![word.to_owned()]);
        }
        if let Some(words) = object.get("enum").and_then(Value::as_array) {
            let words = words.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            return Shape::Choice(words);
        }
        let table = object.contains_key("properties").then(|| Shape::Table(self.table(object, depth)));
        let forms = object.get("oneOf").or_else(|| object.get("anyOf")).and_then(Value::as_array);
        match (forms, table) {
            (Some(forms), None) => self.forms(forms, depth),
            (Some(forms), Some(table)) => combine(self.forms(forms, depth), table),
            (None, Some(table)) => table,
            (None, None) => self.typed(object, depth),
        }
    }

    fn typed(&self, object: &Map<String, Value>, depth: usize) -> Shape {
        let names: Vec<&str> = match object.get("type") {
            Some(Value::String(name)) => vec![name],
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            _ => return Shape::Any,
        };
        let mut shapes: Vec<Shape> = names
            .into_iter()
            .filter(|&name| name != "null")
            .map(|name| match name {
                "boolean" => Shape::Boolean,
                "integer" => integer(object),
                "number" => Shape::Number,
                "string" => Shape::Text,
                "array" => Shape::List(Box::new(
                    object.get("items").map_or_else(Node::any, |items| self.node(items, depth + 1)),
                )),
                "object" => Shape::Table(self.table(object, depth)),
                _ => Shape::Any,
            })
            .collect();
        match shapes.len() {
            0 => Shape::Any,
            1 => shapes.remove(0),
            _ => Shape::Union(shapes.into_iter().map(|shape| Node { shape, ..Node::any() }).collect()),
        }
    }

    fn table(&self, object: &Map<String, Value>, depth: usize) -> Table {
        let properties = object.get("properties").and_then(Value::as_object);
        let keys = properties.into_iter().flatten();
        let required = object.get("required").and_then(Value::as_array).into_iter().flatten();
        let rest = match object.get("additionalProperties") {
            None | Some(Value::Bool(false)) => None,
            Some(schema) => Some(Box::new(self.node(schema, depth + 1))),
        };
        Table {
            keys: keys.map(|(name, schema)| (name.clone(), self.node(schema, depth + 1))).collect(),
            required: required.filter_map(Value::as_str).map(str::to_owned).collect(),
            rest,
        }
    }

    /// Several forms: an optional value, an enum of words, an enum with a tag, or a plain union.
    fn forms(&self, forms: &[Value], depth: usize) -> Shape {
        let present = forms.iter().filter(|form| form.get("type").and_then(Value::as_str) != Some("null"));
        let mut nodes: Vec<Node> = present.map(|form| self.node(form, depth + 1)).collect();
        if nodes.len() == 1 {
            return nodes.remove(0).shape;
        }
        if let Some(words) = all_words(&nodes) {
            return Shape::Choice(words);
        }
        match common_tag(&nodes) {
            Some(tag) => Shape::Tagged { variants: variants(nodes, &tag), tag },
            None => Shape::Union(nodes),
        }
    }
}

fn integer(object: &Map<String, Value>) -> Shape {
    let (low, high) = match object.get("format").and_then(Value::as_str) {
        Some("uint8") => (Some(0), Some(i64::from(u8::MAX))),
        Some("uint16") => (Some(0), Some(i64::from(u16::MAX))),
        Some("uint32") => (Some(0), Some(i64::from(u32::MAX))),
        Some("uint64" | "uint") => (Some(0), None),
        Some("int32") => (Some(i64::from(i32::MIN)), Some(i64::from(i32::MAX))),
        _ => (None, None),
    };
    let bound = |name: &str| object.get(name).and_then(Value::as_i64);
    Shape::Integer { minimum: bound("minimum").or(low), maximum: bound("maximum").or(high) }
}

fn all_words(nodes: &[Node]) -> Option<Vec<String>> {
    let mut all = Vec::new();
    for node in nodes {
        match &node.shape {
            Shape::Choice(words) => all.extend(words.iter().cloned()),
            _ => return None,
        }
    }
    Some(all)
}

/// The key that every form holds with exactly one permitted word.
fn common_tag(nodes: &[Node]) -> Option<String> {
    let tags = |node: &Node| -> Vec<String> {
        let Shape::Table(table) = &node.shape else { return Vec::new() };
        let single = |node: &Node| matches!(&node.shape, Shape::Choice(words) if words.len() == 1);
        let tags = table.keys.iter().filter(|(name, node)| table.required.contains(name) && single(node));
        tags.map(|(name, _)| name.clone()).collect()
    };
    let first = tags(nodes.first()?);
    first.into_iter().find(|tag| nodes.iter().all(|node| tags(node).contains(tag)))
}

fn variants(nodes: Vec<Node>, tag: &str) -> Vec<Variant> {
    let named = nodes.into_iter().filter_map(|node| {
        let Shape::Table(table) = node.shape else { return None };
        let Shape::Choice(words) = &table.get(tag)?.shape else { return None };
        Some(Variant { name: words.first()?.clone(), documentation: node.documentation, table })
    });
    named.collect()
}

/// The shape that satisfies both: how `flatten` and tagged newtype variants are written in a schema.
fn combine(left: Shape, right: Shape) -> Shape {
    match (left, right) {
        (Shape::Any, other) | (other, Shape::Any) => other,
        (Shape::Table(mut a), Shape::Table(b)) => {
            a.absorb(b);
            Shape::Table(a)
        }
        (Shape::Tagged { tag, mut variants }, Shape::Table(shared))
        | (Shape::Table(shared), Shape::Tagged { tag, mut variants }) => {
            for variant in &mut variants {
                variant.table.absorb(shared.clone());
            }
            Shape::Tagged { tag, variants }
        }
        (left, _) => left,
    }
}
