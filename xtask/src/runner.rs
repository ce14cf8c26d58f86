//! Runs a test runner, passes its output on unchanged, line by line, and counts the tests in it.

use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::Context as _;

use crate::tally::{Dialect, Tally};

/// The result of a test runner.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The counted tests.
    pub(crate) tally: Tally,
    /// Whether it exited with status 0.
    pub(crate) success: bool,
}

/// Runs `command` to its end.
///
/// # Errors
/// Fails if the command cannot be started, or if its output cannot be read or passed on.
pub(crate) fn run(mut command: Command, dialect: Dialect) -> anyhow::Result<Outcome> {
    if io::stderr().is_terminal() && !is_set("NO_COLOR") && !is_set("CARGO_TERM_COLOR") {
        // The runner writes to a pipe, although its lines end up on a terminal.
        command.env("CARGO_TERM_COLOR", "always");
    }
    run_into(command, dialect, io::stdout(), io::stderr())
}

/// Runs `command` to its end and writes its output to `stdout` and `stderr`.
///
/// # Errors
/// Fails if the command cannot be started, or if its output cannot be read or passed on.
pub(crate) fn run_into(
    mut command: Command,
    dialect: Dialect,
    out: impl Write + Send,
    err: impl Write + Send,
) -> anyhow::Result<Outcome> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {name}"))?;
    let stdout = child.stdout.take().context("the runner's stdout is not piped")?;
    let stderr = child.stderr.take().context("the runner's stderr is not piped")?;

    let (from_stdout, from_stderr) = thread::scope(|scope| {
        let from_out = scope.spawn(|| pass_through(stdout, out, dialect));
        let from_err = scope.spawn(|| pass_through(stderr, err, dialect));
        (from_out.join(), from_err.join())
    });
    let status = child.wait().with_context(|| format!("waiting for {name}"))?;

    let mut tally = Tally::default();
    for stream in [from_stdout, from_stderr] {
        let counted = stream.map_err(|_| anyhow::anyhow!("reading the output of {name} failed"))?;
        tally.add(&counted.with_context(|| format!("passing on the output of {name}"))?);
    }
    Ok(Outcome { tally, success: status.success() })
}

/// Copies `from` to `to` byte by byte, a line at a time, and counts the tests in the lines.
fn pass_through(from: impl Read, mut to: impl Write, dialect: Dialect) -> io::Result<Tally> {
    let mut from = BufReader::new(from);
    let mut tally = Tally::default();
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        to.write_all(&line)?;
        to.flush()?;
        tally.read_line(dialect, &String::from_utf8_lossy(&line));
        line.clear();
    }
    Ok(tally)
}

fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_through_unchanged_even_when_they_are_not_text() {
        let output = b"\x1b[32mrunning\x1b[0m\r\n\xff\xfe\n\ntest result: ok. 2 passed; 0 failed; 0 ignored\nno newline";
        let mut seen = Vec::new();
        let tally = pass_through(output.as_slice(), &mut seen, Dialect::Libtest).unwrap();
        assert_eq!(seen, output);
        assert_eq!(tally.passed, 2);
    }

    #[test]
    fn a_runner_that_fails_is_told_from_one_that_succeeds() {
        let (passing, out, err) =
            shell("echo 'test result: ok. 5 passed; 0 failed; 1 ignored'; echo compiling >&2");
        assert!(passing.success);
        assert_eq!((passing.tally.passed, passing.tally.failed, passing.tally.skipped), (5, 0, 1));
        assert_eq!(
            (out.as_str(), err.as_str()),
            ("test result: ok. 5 passed; 0 failed; 1 ignored\n", "compiling\n")
        );

        let (failing, ..) = shell("echo 'test result: FAILED. 1 passed; 2 failed; 0 ignored' >&2; exit 101");
        assert!(!failing.success);
        assert_eq!((failing.tally.passed, failing.tally.failed), (1, 2));
    }

    #[test]
    fn a_runner_that_is_not_there_is_an_error() {
        let missing = Command::new("/no/such/runner");
        assert!(run_into(missing, Dialect::Nextest, io::sink(), io::sink()).is_err());
    }

    fn shell(script: &str) -> (Outcome, String, String) {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let outcome = run_into(command, Dialect::Libtest, &mut out, &mut err).unwrap();
        (outcome, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }
}
