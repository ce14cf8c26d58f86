//! `cargo xtask test`: runs everything this machine can run, and names what it could not.

use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::process::{Command, ExitCode};

use crate::requirements::{self, Requirement};
use crate::runner;
use crate::tally::{Dialect, Tally};

/// Arguments of `cargo xtask test`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only unit and integration tests and the generated code: no examples, benches or doctests
    #[arg(long)]
    quick: bool,
}

/// A part of the test run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Unit and integration tests, examples and benches.
    Tests,
    /// The tests that need PostgreSQL, a part of [`Step::Tests`] where the server is there.
    Postgres,
    /// The tests that need NATS, likewise.
    Nats,
    /// The examples in the documentation.
    Doctests,
    /// Whether the generated protobuf code is current.
    GeneratedCode,
}

/// Runs the tests. The last line printed is `N passed, N failed, N skipped`.
///
/// Fails when a test fails, and with `CI=true` also when something could not run.
///
/// # Errors
/// When a runner cannot be started or its output cannot be passed on.
pub(crate) fn run(root: &Path, args: &Args) -> anyhow::Result<ExitCode> {
    let missing = requirements::ensure(requirements::REQUIREMENTS);
    let mut report = Report::default();
    let mut steps = vec![Step::Tests, Step::Doctests, Step::GeneratedCode];
    if args.quick {
        steps.retain(|&step| step != Step::Doctests);
        report.left_out("doctests, examples, benches");
    }
    let lacking = |step| missing.iter().find(|missing| missing.needed_by.contains(&step));
    if lacking(Step::Tests).is_none() {
        build_programs(root)?;
    }
    let mut without = Vec::new();
    for (step, packages) in [
        (Step::Postgres, &["dm-store-postgres", "chat-cluster", "chat-host"][..]),
        (Step::Nats, &["dm-notify-nats", "chat-cluster"]),
    ] {
        if let Some(requirement) = lacking(step) {
            report.not_run(step, requirement);
            without.extend(packages.iter().flat_map(|package| ["--exclude", package]));
        }
    }
    for step in steps {
        if let Some(requirement) = lacking(step) {
            report.not_run(step, requirement);
        } else {
            println!("\n── {step} ──");
            let (tally, success) = run_step(root, step, args.quick, &without)?;
            report.ran(step, tally, success);
        }
    }
    let strict = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    println!("\n── summary ──");
    if strict && report.total.skipped > 0 {
        println!("failed: with CI=true everything must run");
    }
    println!("{report}");
    Ok(if report.is_good(strict) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Builds the programs that tests run as processes, in the way in which the tests ask for them. They would do it
/// themselves, but a build takes longer than a test may.
fn build_programs(root: &Path) -> anyhow::Result<()> {
    println!("\n── programs ──");
    for package in ["chat-host", "chat"] {
        let built = Command::new(cargo()).current_dir(root).args(["build", "--package", package]).status()?;
        // A test that needs it says what is wrong, and counts.
        if !built.success() {
            println!("{package} does not build");
        }
    }
    Ok(())
}

/// Runs a step, the tests without some packages.
fn run_step(root: &Path, step: Step, quick: bool, without: &[&str]) -> anyhow::Result<(Tally, bool)> {
    let (mut args, dialect) = match step {
        // They are run among the tests.
        Step::Postgres | Step::Nats => return Ok((Tally::default(), true)),
        Step::Tests if has_nextest() => (nextest_args(quick), Dialect::Nextest),
        Step::Tests => (cargo_test_args(quick), Dialect::Libtest),
        Step::Doctests => (vec!["test", "--workspace", "--doc", "--no-fail-fast"], Dialect::Libtest),
        Step::GeneratedCode => {
            let current = crate::proto::check(&crate::proto::default_dir(root))?;
            let tally = Tally { passed: u64::from(current), failed: u64::from(!current), ..Tally::default() };
            return Ok((tally, current));
        }
    };
    if step == Step::Tests {
        args.extend(without);
    }
    let mut command = Command::new(cargo());
    command.current_dir(root).args(args);
    let outcome = runner::run(command, dialect)?;
    Ok((outcome.tally, outcome.success))
}

/// nextest runs tests of all crates in parallel, which is faster; nothing depends on it.
fn has_nextest() -> bool {
    requirements::succeeds(&cargo().to_string_lossy(), &["nextest", "--version"])
}

fn nextest_args<'a>(quick: bool) -> Vec<&'a str> {
    // With the final status level the runner names, after its summary, the tests it skipped.
    let mut args = vec!["nextest", "run", "--workspace", "--no-fail-fast", "--final-status-level", "skip"];
    args.extend(targets(quick));
    args
}

fn cargo_test_args<'a>(quick: bool) -> Vec<&'a str> {
    let mut args = vec!["test", "--workspace", "--no-fail-fast"];
    args.extend(targets(quick));
    args
}

fn targets(quick: bool) -> &'static [&'static str] {
    if quick { &["--lib", "--bins", "--tests"] } else { &["--all-targets"] }
}

/// The cargo that runs this program.
fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tests => "tests",
            Self::Postgres => "tests on PostgreSQL",
            Self::Nats => "tests on NATS",
            Self::Doctests => "doctests",
            Self::GeneratedCode => "generated protobuf code",
        })
    }
}

/// What ran, what did not, and the sum; printed at the end.
#[derive(Debug, Default)]
struct Report {
    lines: Vec<String>,
    not_run: Vec<String>,
    total: Tally,
}

impl Report {
    fn ran(&mut self, step: Step, mut tally: Tally, success: bool) {
        if !success && tally.failed == 0 {
            // The runner failed before it could count, as when a crate does not compile.
            tally.failed = 1;
        }
        self.lines.push(format!("ran: {step}: {tally}"));
        self.not_run.extend(tally.skipped_names.iter().map(|name| format!("{name}: ignored")));
        self.total.add(&tally);
    }

    fn left_out(&mut self, what: &str) {
        self.lines.push(format!("left out as asked: {what}"));
    }

    fn not_run(&mut self, step: Step, missing: &Requirement) {
        self.not_run.push(format!("{step}: {missing} is missing"));
        self.total.skipped += 1;
    }

    /// Whether nothing failed and, when strict, nothing was skipped either.
    fn is_good(&self, strict: bool) -> bool {
        self.total.failed == 0 && !(strict && self.total.skipped > 0)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        for name in &self.not_run {
            writeln!(f, "not run: {name}")?;
        }
        self.total.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(passed: u64, failed: u64, skipped_names: &[&str]) -> Tally {
        let skipped_names: Vec<_> = skipped_names.iter().map(|&name| name.to_owned()).collect();
        Tally { passed, failed, skipped: skipped_names.len() as u64, skipped_names }
    }

    #[test]
    fn the_report_ends_with_the_sum_of_all_steps() {
        let mut report = Report::default();
        report.ran(Step::Tests, tally(5, 0, &["chat::t needs_a_disk"]), true);
        report.ran(Step::Doctests, tally(2, 0, &[]), true);
        assert_eq!(
            report.to_string(),
            "ran: tests: 5 passed, 0 failed, 1 skipped\n\
             ran: doctests: 2 passed, 0 failed, 0 skipped\n\
             not run: chat::t needs_a_disk: ignored\n\
             7 passed, 0 failed, 1 skipped"
        );
    }

    #[test]
    fn what_could_not_run_fails_only_a_strict_run() {
        let mut report = Report::default();
        report.ran(Step::Tests, tally(5, 0, &[]), true);
        assert!(report.is_good(true));

        let compiler = &requirements::REQUIREMENTS[0];
        report.not_run(Step::Doctests, compiler);
        assert!(report.is_good(false));
        assert!(!report.is_good(true));
        assert!(
            report.to_string().contains("not run: doctests: C compiler (Debian: gcc libc6-dev) is missing")
        );
    }

    #[test]
    fn a_failed_test_fails_every_run() {
        let mut report = Report::default();
        report.ran(Step::Tests, tally(5, 1, &[]), false);
        assert!(!report.is_good(false));
    }

    #[test]
    fn a_runner_that_fails_without_a_count_counts_as_a_failure() {
        let mut report = Report::default();
        report.ran(Step::Tests, Tally::default(), false);
        assert!(!report.is_good(false));
        assert!(report.to_string().ends_with("0 passed, 1 failed, 0 skipped"));
    }

    #[test]
    fn what_was_left_out_as_asked_fails_no_run() {
        let mut report = Report::default();
        report.ran(Step::Tests, tally(5, 0, &[]), true);
        report.left_out("doctests");
        assert!(report.is_good(true));
        assert!(report.to_string().contains("left out as asked: doctests\n"));
    }
}
