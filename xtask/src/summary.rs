//! How each step ended, as a table and as one closing line.

use std::fmt;
use std::time::Duration;

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It holds.
    Passed,
    /// It does not hold, or could not be checked.
    Failed,
    /// An earlier step failed first.
    Skipped,
}

/// One step's row of the table.
#[derive(Debug)]
pub(crate) struct Row {
    /// The step's name on the command line.
    pub(crate) step: String,
    /// How it ended.
    pub(crate) verdict: Verdict,
    /// How long it took.
    pub(crate) took: Duration,
    /// What a reader should know beside the verdict, such as what could not be checked here; may be empty.
    pub(crate) note: String,
}

/// All rows, in the order of the run.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    /// The rows.
    pub(crate) rows: Vec<Row>,
}

impl Summary {
    /// Whether no step failed or was skipped.
    pub(crate) fn passed(&self) -> bool {
        self.rows.iter().all(|row| row.verdict == Verdict::Passed)
    }

    fn count(&self, verdict: &Verdict) -> usize {
        self.rows.iter().filter(|row| row.verdict == *verdict).count()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.iter().map(|row| row.step.len()).max().unwrap_or(0).max("step".len());
        writeln!(f, "{:width$}  result   seconds", "step")?;
        for row in &self.rows {
            let verdict = match row.verdict {
                Verdict::Passed => "pass",
                Verdict::Failed => "FAIL",
                Verdict::Skipped => "not run",
            };
            let line = format!("{:width$}  {verdict:7}  {:7.1}  {}", row.step, row.took.as_secs_f64(), row.note);
            writeln!(f, "{}", line.trim_end())?;
        }
        let total: Duration = self.rows.iter().map(|row| row.took).sum();
        writeln!(f, "{:width$}           {:7.1}", "total", total.as_secs_f64())?;
        write!(f, "{} passed, {} failed", self.count(&Verdict::Passed), self.count(&Verdict::Failed))?;
        match self.count(&Verdict::Skipped) {
            0 => Ok(()),
            skipped => write!(f, ", {skipped} skipped"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(step: &str, verdict: Verdict, seconds: f64, note: &str) -> Row {
        Row { step: step.to_owned(), verdict, took: Duration::from_secs_f64(seconds), note: note.to_owned() }
    }

    #[test]
    fn a_table_ends_with_the_counts_alone_on_a_line() {
        let mut summary = Summary { rows: vec![row("fmt", Verdict::Passed, 0.94, "")] };
        assert!(summary.passed());
        summary.rows.push(row("debug-golden", Verdict::Failed, 61.5, "no adapter"));
        assert!(!summary.passed());
        let expected = "\
step          result   seconds
fmt           pass         0.9
debug-golden  FAIL        61.5  no adapter
total                     62.4
1 passed, 1 failed";
        assert_eq!(summary.to_string(), expected);
    }

    #[test]
    fn a_step_that_was_not_reached_is_no_pass() {
        let summary = Summary { rows: vec![row("a", Verdict::Passed, 1.0, ""), row("b", Verdict::Skipped, 0.0, "")] };
        assert!(!summary.passed());
        assert!(summary.to_string().ends_with("\n1 passed, 0 failed, 1 skipped"));
    }
}
