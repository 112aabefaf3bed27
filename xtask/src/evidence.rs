//! What a long run found, as a document for programs and a page for people.

use std::fmt::Write as _;

use miette::{IntoDiagnostic, Result, WrapErr};
use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::workspace::{Workspace, write_atomically};

/// The result of one long run.
#[derive(Debug, Serialize)]
pub(crate) struct Evidence {
    /// The run's name.
    pub(crate) name: String,
    /// What the run shows, in a sentence or two.
    pub(crate) about: String,
    /// How to make it again.
    pub(crate) command: String,
    /// What was checked out.
    pub(crate) commit: String,
    /// What it ran on.
    pub(crate) machine: Machine,
    /// What was measured, a part after the other.
    pub(crate) parts: Vec<Part>,
}

/// One part of a long run: it is done at once, and kept when it is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// The part's name.
    pub(crate) name: String,
    /// What was measured, in the order in which it is shown.
    pub(crate) figures: Vec<Figure>,
}

/// One measured value; its name says its unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figure {
    /// Name and unit.
    pub(crate) name: String,
    /// The value.
    pub(crate) value: Value,
}

/// A number or a word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Value {
    /// A measurement.
    Number(f64),
    /// A digest, an outcome.
    Text(String),
}

impl Figure {
    /// A measurement.
    pub(crate) fn number(name: impl Into<String>, value: f64) -> Self {
        Self { name: name.into(), value: Value::Number(value) }
    }

    /// A digest, an outcome.
    pub(crate) fn text(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: Value::Text(value.into()) }
    }
}

impl Evidence {
    /// Writes `docs/evidence/NAME.json` and `docs/evidence/NAME.md`.
    ///
    /// # Errors
    ///
    /// If a file cannot be written.
    pub(crate) fn write(&self, workspace: &Workspace) -> Result<()> {
        let json =
            serde_json::to_string_pretty(self).into_diagnostic().wrap_err("figures that JSON cannot hold")? + "\n";
        let folder = workspace.path("docs/evidence");
        write_atomically(&folder.join(format!("{}.json", self.name)), json.as_bytes())?;
        write_atomically(&folder.join(format!("{}.md", self.name)), self.page().as_bytes())
    }

    fn page(&self) -> String {
        let Self { name, about, command, commit, machine, parts } = self;
        let Machine { cpu, cores, memory, adapter, system, rustc } = machine;
        let mut page = format!(
            "# {name}\n\n{about}\n\n\
             | | |\n|---|---|\n\
             | command | `{command}` |\n| commit | `{commit}` |\n\
             | machine | {cpu}, {cores} cores, {memory}, {system} |\n\
             | adapter | {adapter} |\n| compiler | {rustc} |\n",
        );
        // Numbers stand side by side, so that parts can be compared; digests are too long for a column.
        let mut columns: Vec<&str> = Vec::new();
        for figure in parts.iter().flat_map(|part| &part.figures) {
            if matches!(figure.value, Value::Number(_)) && !columns.contains(&figure.name.as_str()) {
                columns.push(&figure.name);
            }
        }
        // A String takes everything that is written to it.
        let _ = write!(page, "\n| | {} |\n|---|{}\n", columns.join(" | "), "---:|".repeat(columns.len()));
        for part in parts {
            let cells = columns.iter().map(|column| {
                let figure = part.figures.iter().find(|figure| figure.name == *column);
                figure.map_or_else(String::new, |figure| figure.value.to_string())
            });
            let _ = writeln!(page, "| {} | {} |", part.name, cells.collect::<Vec<_>>().join(" | "));
        }
        for part in parts {
            let texts = part.figures.iter().filter(|figure| matches!(figure.value, Value::Text(_)));
            let lines: String = texts.map(|figure| format!("- {}: `{}`\n", figure.name, figure.value)).collect();
            if !lines.is_empty() {
                let _ = write!(page, "\n**{}**\n\n{lines}", part.name);
            }
        }
        page
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) if number.fract() == 0.0 => write!(f, "{number:.0}"),
            Self::Number(number) => write!(f, "{number:.2}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_compares_the_parts() {
        let part = |name: &str, figures: &[Figure]| Part { name: name.to_owned(), figures: figures.to_vec() };
        let evidence = Evidence {
            name: "draft".to_owned(),
            about: "How long a draft takes.".to_owned(),
            command: "cargo xtask full draft".to_owned(),
            commit: "0123abc".to_owned(),
            machine: Machine {
                cpu: "A CPU".to_owned(),
                cores: 2,
                memory: "24.0 GiB".to_owned(),
                adapter: "none".to_owned(),
                system: "linux x86_64".to_owned(),
                rustc: "rustc 1.95.0".to_owned(),
            },
            parts: vec![
                part("falling", &[Figure::number("simulate, s", 12.345), Figure::text("sim_root", "b3…")]),
                part("pouring", &[Figure::number("frames", 48.0), Figure::number("simulate, s", 7.0)]),
            ],
        };
        let expected = "\
# draft

How long a draft takes.

| | |
|---|---|
| command | `cargo xtask full draft` |
| commit | `0123abc` |
| machine | A CPU, 2 cores, 24.0 GiB, linux x86_64 |
| adapter | none |
| compiler | rustc 1.95.0 |

| | simulate, s | frames |
|---|---:|---:|
| falling | 12.35 |  |
| pouring | 7 | 48 |

**falling**

- sim_root: `b3…`
";
        assert_eq!(evidence.page(), expected);
    }

    #[test]
    fn a_kept_part_reads_back() {
        let part = Part { name: "a".to_owned(), figures: vec![Figure::number("n", 1.5), Figure::text("t", "x")] };
        let text = serde_json::to_string(&part).expect("JSON");
        assert_eq!(serde_json::from_str::<Part>(&text).expect("the part"), part);
    }
}
