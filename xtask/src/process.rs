//! Other programs: each is shown before it runs, reads nothing from standard input, and fails by name.

use std::path::Path;
use std::process::{Command, ExitStatus, Output, Stdio};

use miette::{IntoDiagnostic, Result, WrapErr, bail};

/// Runs a program whose output a person should see.
///
/// # Errors
///
/// If it cannot be started or does not exit with 0.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    show(command);
    let status = command
        .stdin(Stdio::null())
        .status()
        .into_diagnostic()
        .wrap_err_with(|| cannot_start(command.get_program()))?;
    demand_success(command, status)
}

/// Runs a program for what it writes to standard output; standard error is passed on.
///
/// # Errors
///
/// If it cannot be started, does not exit with 0, or writes something that is not UTF-8.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    show(command);
    let Output { status, stdout, .. } = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .into_diagnostic()
        .wrap_err_with(|| cannot_start(command.get_program()))?;
    demand_success(command, status)?;
    String::from_utf8(stdout).into_diagnostic().wrap_err_with(|| format!("`{}` wrote other than UTF-8", line(command)))
}

/// What a program prints when it is asked quietly, or `None` if it is missing or fails.
pub(crate) fn ask(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok()?;
    let printed = output.status.success().then(|| String::from_utf8(output.stdout).ok())??;
    Some(printed.trim().to_owned())
}

fn show(command: &Command) {
    eprintln!("$ {}", line(command));
}

fn cannot_start(program: &std::ffi::OsStr) -> String {
    format!("cannot start `{}`: is it installed and on the PATH?", program.display())
}

fn demand_success(command: &Command, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("`{}` failed: {status}", line(command));
    }
    Ok(())
}

/// The command as it could be typed, with the variables that were set for it.
pub(crate) fn line(command: &Command) -> String {
    let mut words: Vec<String> = command
        .get_envs()
        .filter_map(|(name, value)| Some(format!("{}={}", name.display(), quoted(&value?.to_string_lossy()))))
        .collect();
    let program = Path::new(command.get_program());
    // A tool's folder says nothing to a reader, and a temporary one differs on each run.
    words.push(program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned());
    words.extend(command.get_args().map(|argument| quoted(&argument.to_string_lossy())));
    words.join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@+%^".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_can_be_typed_again() {
        let mut command = Command::new("/opt/tools/forge");
        command.env("NAME", "two words").args(["test", "--match", "it's", ""]);
        assert_eq!(line(&command), r"NAME='two words' forge test --match 'it'\''s' ''");
    }

    #[test]
    fn failure_names_the_command() {
        let report = run(Command::new("rustc").arg("--no-such-option")).expect_err("rustc has no such option");
        assert!(report.to_string().starts_with("`rustc --no-such-option` failed"), "{report}");
        let report = run(&mut Command::new("no-such-program")).expect_err("there is no such program");
        assert!(report.to_string().contains("`no-such-program`"), "{report}");
    }

    #[test]
    fn a_program_finds_an_empty_standard_input() {
        assert_eq!(capture(&mut Command::new("cat")).expect("cat ends at once"), "");
    }
}
