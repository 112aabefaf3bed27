//! Reading a document's fields: every error names the field and, where the document came from a file, its line.

use std::fmt;

use super::document::{Node, Place, Value};
use crate::text::is_plain;

/// What is wrong with a scene, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SceneError {
    /// Line and column in the file, where it came from one.
    pub place: Option<Place>,
    /// Path of the field, such as `bodies[3].shape.ball`; empty for the file as a whole.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
    /// What would be right.
    pub help: String,
}

impl SceneError {
    pub(super) fn file(reason: impl Into<String>, help: impl Into<String>) -> Self {
        Self { place: None, field: String::new(), reason: format!("the file {}", reason.into()), help: help.into() }
    }
}

impl fmt::Display for SceneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Place { line, column }) = self.place {
            write!(f, "line {line}, column {column}: ")?;
        }
        if !self.field.is_empty() {
            write!(f, "`{}` ", self.field)?;
        }
        f.write_str(&self.reason)
    }
}

impl std::error::Error for SceneError {}

/// The least and the greatest value of a field, both allowed, and what to call its unit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) unit: &'static str,
}

pub(super) const fn bounds(low: f64, high: f64, unit: &'static str) -> Bounds {
    Bounds { low, high, unit }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "from {} to {}", self.low, self.high)?;
        if self.unit.is_empty() { Ok(()) } else { write!(f, " {}", self.unit) }
    }
}

/// A value with its path.
#[derive(Debug, Clone)]
pub(super) struct Field<'a> {
    pub(super) node: &'a Node,
    pub(super) path: String,
}

impl<'a> Field<'a> {
    pub(super) fn root(node: &'a Node) -> Self {
        Self { node, path: String::new() }
    }

    pub(super) fn wrong(&self, reason: impl Into<String>, help: impl Into<String>) -> SceneError {
        SceneError { place: self.node.place, field: self.path.clone(), reason: reason.into(), help: help.into() }
    }

    pub(super) fn table(&self) -> Result<Table<'a>, SceneError> {
        match &self.node.value {
            Value::Table(_) => Ok(Table { field: self.clone(), known: Vec::new() }),
            _ => Err(self.wrong("must be a table", "write { … } with its fields, or a [table]")),
        }
    }

    /// The elements of a list of at most `most`.
    pub(super) fn list(&self, most: usize) -> Result<Vec<Self>, SceneError> {
        let Value::List(list) = &self.node.value else {
            return Err(self.wrong("must be a list", "write [ … ], or repeat a [[table]]"));
        };
        if list.len() > most {
            return Err(self.wrong(format!("has {} elements", list.len()), format!("at most {most} are allowed")));
        }
        let field = |(at, node)| Self { node, path: format!("{}[{at}]", self.path) };
        Ok(list.iter().enumerate().map(field).collect())
    }

    pub(super) fn array<const N: usize>(&self) -> Result<[Self; N], SceneError> {
        let list = self.list(N)?;
        let count = list.len();
        list.try_into().map_err(|_| self.wrong(format!("has {count} elements"), format!("it must have {N}")))
    }

    pub(super) fn number(&self, bounds: Bounds) -> Result<f64, SceneError> {
        match self.node.value {
            Value::Number(number) if (bounds.low..=bounds.high).contains(&number) => Ok(number),
            Value::Number(number) => Err(self.wrong(format!("is {number}"), format!("it must be {bounds}"))),
            _ => Err(self.wrong("must be a number that is the same for all seeds", format!("it must be {bounds}"))),
        }
    }

    pub(super) fn numbers<const N: usize>(&self, bounds: Bounds) -> Result<[f64; N], SceneError> {
        let mut numbers = [0.0; N];
        for (number, field) in numbers.iter_mut().zip(self.array::<N>()?) {
            *number = field.number(bounds)?;
        }
        Ok(numbers)
    }

    pub(super) fn whole(&self, low: u32, high: u32) -> Result<u32, SceneError> {
        let number = self.number(bounds(f64::from(low), f64::from(high), ""))?;
        if number.fract() == 0.0 {
            return Ok(number as u32);
        }
        Err(self.wrong(format!("is {number}"), format!("it must be a whole number from {low} to {high}")))
    }

    pub(super) fn truth(&self) -> Result<bool, SceneError> {
        match self.node.value {
            Value::Bool(truth) => Ok(truth),
            _ => Err(self.wrong("must be true or false", "write it without quotes")),
        }
    }

    pub(super) fn text(&self) -> Result<&'a str, SceneError> {
        match &self.node.value {
            Value::Text(text) => Ok(text),
            _ => Err(self.wrong("must be a text", "write it in quotes")),
        }
    }

    /// A text for people: one line, not empty, of at most `most` characters.
    pub(super) fn line(&self, most: usize) -> Result<String, SceneError> {
        let text = self.text()?;
        let fits = !text.trim().is_empty() && text.chars().count() <= most && text.chars().all(is_plain);
        if fits {
            return Ok(text.into());
        }
        Err(self.wrong("is no line of plain text", format!("write 1 to {most} characters on one line")))
    }

    /// A name that other fields refer to.
    pub(super) fn name(&self) -> Result<&'a str, SceneError> {
        let text = self.text()?;
        if is_name(text) { Ok(text) } else { Err(self.wrong(format!("is {text:?}"), NAMES)) }
    }

    /// The place in `known` of a text that has to be there.
    pub(super) fn one_of<T: AsRef<str>>(&self, known: &[T]) -> Result<usize, SceneError> {
        let text = self.text()?;
        known.iter().position(|known| known.as_ref() == text).ok_or_else(|| self.unknown(text, known))
    }

    pub(super) fn unknown<T: AsRef<str>>(&self, text: &str, known: &[T]) -> SceneError {
        let known: Vec<&str> = known.iter().map(AsRef::as_ref).collect();
        let help = if known.is_empty() { "there is none to choose from".into() } else { one_of(&known) };
        self.wrong(format!("is {:?}, which is not known here", shortened(text)), help)
    }
}

const NAMES: &str = "a name is 1 to 32 lower-case letters, digits, hyphens and underscores";

pub(super) fn is_name(text: &str) -> bool {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    (1..=32).contains(&text.len()) && text.bytes().all(letter)
}

fn one_of(known: &[&str]) -> String {
    format!("choose one of: {}", known.join(", "))
}

/// What is shown of a text that may be anything.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

/// The fields of a table; those that nobody asked for are refused at the end.
#[derive(Debug)]
pub(super) struct Table<'a> {
    field: Field<'a>,
    known: Vec<&'static str>,
}

impl<'a> Table<'a> {
    pub(super) fn get(&mut self, name: &'static str) -> Option<Field<'a>> {
        self.known.push(name);
        let Value::Table(fields) = &self.field.node.value else { return None };
        Some(Field { node: fields.get(name)?, path: self.path(name) })
    }

    pub(super) fn need(&mut self, name: &'static str) -> Result<Field<'a>, SceneError> {
        let there = self.get(name);
        there.ok_or_else(|| {
            let path = self.path(name);
            let help = format!("add `{name} = …` here; docs/scenes.md has every field");
            SceneError { place: self.field.node.place, field: path, reason: "is missing".into(), help }
        })
    }

    /// Every field with a name of its own, such as the options of a trait.
    pub(super) fn named(&self, most: usize) -> Result<Vec<(&'a str, Field<'a>)>, SceneError> {
        let Value::Table(fields) = &self.field.node.value else { return Ok(Vec::new()) };
        if fields.len() > most {
            return Err(self
                .field
                .wrong(format!("has {} entries", fields.len()), format!("at most {most} are allowed")));
        }
        let entry = |(name, node): (&'a String, &'a Node)| {
            let field = Field { node, path: self.path(&shortened(name)) };
            if is_name(name) { Ok((name.as_str(), field)) } else { Err(field.wrong("is no name", NAMES)) }
        };
        fields.iter().map(entry).collect()
    }

    /// The one field of `choices` that is there.
    pub(super) fn choice(&mut self, choices: &[&'static str]) -> Result<(&'static str, Field<'a>), SceneError> {
        let mut found: Vec<_> = choices.iter().filter_map(|name| self.get(name).map(|field| (*name, field))).collect();
        match (found.pop(), found.is_empty()) {
            (Some(only), true) => Ok(only),
            (Some((name, field)), false) => {
                Err(field.wrong(format!("stands beside `{}`", found[0].0), format!("give `{name}` or the other")))
            }
            (None, _) => {
                let field = if self.field.path.is_empty() { "the file".into() } else { self.field.path.clone() };
                let reason = "does not say what it is".into();
                Err(SceneError { place: self.field.node.place, field, reason, help: one_of(choices) })
            }
        }
    }

    pub(super) fn wrong(&self, reason: impl Into<String>, help: impl Into<String>) -> SceneError {
        self.field.wrong(reason, help)
    }

    pub(super) fn finish(self) -> Result<(), SceneError> {
        let Value::Table(fields) = &self.field.node.value else { return Ok(()) };
        match fields.iter().find(|(name, _)| !self.known.contains(&name.as_str())) {
            Some((name, node)) => {
                let path = self.path(&shortened(name));
                Err(Field { node, path }.wrong("is not known here", one_of(&self.known)))
            }
            None => Ok(()),
        }
    }

    fn path(&self, name: &str) -> String {
        if self.field.path.is_empty() { name.into() } else { format!("{}.{name}", self.field.path) }
    }
}
