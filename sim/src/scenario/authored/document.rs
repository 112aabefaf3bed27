//! A scene as a tree of values: read from TOML with the place of each, or from the JSON that a recipe carries.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
    ser::{SerializeMap as _, SerializeSeq as _},
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::SceneError;

/// The longest scene file that is read, in bytes.
pub const MAX_FILE_BYTES: usize = 256 * 1024;

/// The longest scene that a recipe carries, in bytes of its canonical JSON.
pub const MAX_SCENE_BYTES: usize = (1 << 20) - (1 << 16);

/// How deep values lie within values at most.
const MAX_DEPTH: usize = 12;

/// The largest whole number that every JSON reader keeps exactly.
const MAX_WHOLE: u64 = 1 << 53;

/// A scene document: plain data, which [`super::Blueprint`] gives a meaning.
///
/// As JSON it holds objects, lists, texts, finite numbers and truth values; its canonical form is RFC 8785.
#[derive(Debug, Clone, PartialEq)]
pub struct Document(Arc<Node>);

/// A value, and where it stands in a file, which is no part of it.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) place: Option<Place>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Node>),
    Table(BTreeMap<String, Node>),
}

/// A line and a column of a file, from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Node {
    pub(super) fn new(value: Value) -> Self {
        Self { value, place: None }
    }
}

impl Document {
    pub(super) fn new(root: Node) -> Self {
        Self(Arc::new(root))
    }

    pub(super) fn root(&self) -> &Node {
        &self.0
    }

    pub(super) fn into_root(self) -> Node {
        Arc::unwrap_or_clone(self.0)
    }

    /// Reads the text of a scene file. Nothing is known of its fields yet: that is what [`super::Blueprint::read`] says.
    ///
    /// # Errors
    /// Text that is not TOML, values that no scene has (dates, numbers that are not finite), or too much of it.
    pub fn from_toml(text: &str) -> Result<Self, SceneError> {
        if text.len() > MAX_FILE_BYTES {
            return Err(SceneError::file(
                format!("is larger than {MAX_FILE_BYTES} bytes"),
                "repeat bodies with `arrange`, and keep meshes in files of their own",
            ));
        }
        let lines = Lines::of(text);
        let (table, errors) = DeTable::parse_recoverable(text);
        // Keys with very many dots nest as deep as one likes, and so would the recursion that frees them.
        let deep = depth(table.get_ref()) > MAX_DEPTH;
        let root = if deep {
            dismantle(table.into_inner());
            None
        } else {
            Some(table)
        };
        if let Some(error) = errors.first() {
            return Err(SceneError {
                place: error.span().map(|span| lines.place(span.start)),
                field: String::new(),
                reason: format!("the file is not TOML: {}", error.message().lines().collect::<Vec<_>>().join(", ")),
                help: "see https://toml.io for how TOML is written, and docs/scenes.md for an example".into(),
            });
        }
        let Some(root) = root else {
            return Err(SceneError::file(
                format!("holds tables more than {MAX_DEPTH} deep"),
                "no field of a scene lies that deep",
            ));
        };
        let place = Some(lines.place(0));
        Ok(Self::new(Node { value: table_of(root.into_inner(), "", &lines)?, place }))
    }

    /// The canonical bytes (RFC 8785).
    #[must_use]
    pub fn canonical(&self) -> Vec<u8> {
        serde_json_canonicalizer::to_vec(self).expect("a scene holds only text, finite numbers and text keys")
    }

    /// The title, for who has to name it before it is read.
    #[must_use]
    pub fn title(&self) -> Option<&str> {
        match &self.0.value {
            Value::Table(fields) => match &fields.get("title")?.value {
                Value::Text(title) => Some(title),
                _ => None,
            },
            _ => None,
        }
    }
}

fn depth(table: &DeTable<'_>) -> usize {
    let mut deepest = 0;
    let mut open: Vec<(&DeValue<'_>, usize)> = table.iter().map(|(_, value)| (value.get_ref(), 1)).collect();
    while let Some((value, at)) = open.pop() {
        deepest = deepest.max(at);
        match value {
            DeValue::Array(list) => open.extend(list.iter().map(|value| (value.get_ref(), at + 1))),
            DeValue::Table(table) => open.extend(table.iter().map(|(_, value)| (value.get_ref(), at + 1))),
            _ => {}
        }
    }
    deepest
}

/// Frees a tree of any depth without recursion.
fn dismantle(table: DeTable<'_>) {
    let mut open: Vec<DeValue<'_>> = vec![DeValue::Table(table)];
    while let Some(value) = open.pop() {
        match value {
            DeValue::Array(list) => open.extend(list.into_iter().map(Spanned::into_inner)),
            DeValue::Table(table) => open.extend(table.into_iter().map(|(_, value)| value.into_inner())),
            _ => {}
        }
    }
}

/// Where the lines of a text begin.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    fn place(&self, offset: usize) -> Place {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let before = self.text.get(self.starts[line - 1]..offset).unwrap_or_default();
        Place { line: line as u32, column: before.chars().count() as u32 + 1 }
    }
}

fn table_of(table: DeTable<'_>, path: &str, lines: &Lines<'_>) -> Result<Value, SceneError> {
    let fields = table.into_iter().map(|(key, value)| {
        let key = key.into_inner().into_owned();
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        Ok((key, node_of(value, &path, lines)?))
    });
    Ok(Value::Table(fields.collect::<Result<_, _>>()?))
}

fn node_of(value: Spanned<DeValue<'_>>, path: &str, lines: &Lines<'_>) -> Result<Node, SceneError> {
    let place = Some(lines.place(value.span().start));
    let wrong =
        |reason: &str, help: &str| SceneError { place, field: path.into(), reason: reason.into(), help: help.into() };
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Boolean(truth) => Value::Bool(truth),
        DeValue::Integer(integer) => {
            let number = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
            let number = number.filter(|number| number.unsigned_abs() <= MAX_WHOLE);
            // Exact up to there.
            Value::Number(number.ok_or_else(|| wrong("is too large a number", "give it as a decimal fraction"))? as f64)
        }
        DeValue::Float(float) => {
            let number = float.as_str().replace('_', "").parse::<f64>().ok().filter(|number| number.is_finite());
            let number =
                number.ok_or_else(|| wrong("must be a finite number", "neither nan nor inf has a place here"))?;
            // The canonical form knows one zero only.
            Value::Number(number + 0.0)
        }
        DeValue::Datetime(_) => return Err(wrong("must not be a date", "write a text in quotes, or a number")),
        DeValue::Array(list) => {
            let each = list.into_iter().enumerate();
            Value::List(
                each.map(|(at, value)| node_of(value, &format!("{path}[{at}]"), lines)).collect::<Result<_, _>>()?,
            )
        }
        DeValue::Table(table) => table_of(table, path, lines)?,
    };
    Ok(Node { value, place })
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            Value::Bool(truth) => serializer.serialize_bool(*truth),
            Value::Number(number) => serializer.serialize_f64(*number),
            Value::Text(text) => serializer.serialize_str(text),
            Value::List(list) => {
                let mut out = serializer.serialize_seq(Some(list.len()))?;
                list.iter().try_for_each(|node| out.serialize_element(node))?;
                out.end()
            }
            Value::Table(fields) => {
                let mut out = serializer.serialize_map(Some(fields.len()))?;
                fields.iter().try_for_each(|(key, node)| out.serialize_entry(key, node))?;
                out.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let root = Node::deserialize(deserializer)?;
        match root.value {
            Value::Table(_) => Ok(Self::new(root)),
            _ => Err(D::Error::custom("expected an object")),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Value;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object, a list, a text, a number or a truth value")
            }
            fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
                Ok(Value::Bool(truth))
            }
            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Value, E> {
                if number > MAX_WHOLE {
                    Err(E::custom("a number is too large"))
                } else {
                    Ok(Value::Number(number as f64))
                }
            }
            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Value, E> {
                let small = number.unsigned_abs() <= MAX_WHOLE;
                if small { Ok(Value::Number(number as f64)) } else { Err(E::custom("a number is too large")) }
            }
            fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
                Ok(Value::Number(number + 0.0))
            }
            fn visit_str<E>(self, text: &str) -> Result<Value, E> {
                Ok(Value::Text(text.into()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
                let mut nodes = Vec::new();
                while let Some(node) = list.next_element()? {
                    nodes.push(node);
                }
                Ok(Value::List(nodes))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
                let mut fields = BTreeMap::new();
                while let Some((key, node)) = map.next_entry::<String, Node>()? {
                    if fields.insert(key.clone(), node).is_some() {
                        return Err(A::Error::custom(format!("`{key}` stands twice")));
                    }
                }
                Ok(Value::Table(fields))
            }
        }
        Ok(Self::new(deserializer.deserialize_any(Any)?))
    }
}
