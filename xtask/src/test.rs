//! `cargo xtask test`: runs every test that this machine can run, and names those that could not
//! run.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::Context as _;

use crate::report::Report;
use crate::requirements;
use crate::runner;
use crate::tally::{Dialect, Tally};

/// The numbers of the stores' trials, unless the environment sets others: large enough to fail for
/// a plain mistake. `cargo xtask deep` runs them for longer.
const SHORT: [(&str, &str); 3] = [("DM_CRASH_SECONDS", "10"), ("DM_CRASH_TRIALS", "40"), ("DM_CASES", "64")];

/// The targets of `--quick`: tests without examples and benches.
pub(crate) const QUICK_TARGETS: &[&str] = &["--lib", "--bins", "--tests"];

/// Arguments of `cargo xtask test`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only unit and integration tests and the generated code: no examples, benches or doctests
    #[arg(long)]
    quick: bool,
    /// Only compile what would run
    #[arg(long)]
    compile: bool,
}

/// A part of the test run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Unit and integration tests, examples and benches.
    Tests,
    /// The tests that need PostgreSQL. They run as a part of [`Step::Tests`] if it is installed.
    Postgres,
    /// The tests that need NATS, in the same way.
    Nats,
    /// The examples in the documentation.
    Doctests,
    /// The check that the generated protobuf code is current.
    GeneratedCode,
}

/// Runs the tests. The last line printed is `N passed, N failed, N skipped`.
///
/// Fails if a test fails, and with `CI=true` also if a step could not run.
///
/// # Errors
/// Fails if a runner cannot be started, or if its output cannot be passed on.
pub(crate) fn run(root: &Path, args: &Args) -> anyhow::Result<ExitCode> {
    let missing = requirements::ensure(requirements::REQUIREMENTS);
    if args.compile {
        let compiled = compile(root, args.quick)?;
        return Ok(if compiled { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let mut report = Report::default();
    let mut steps = vec![Step::Tests, Step::Doctests, Step::GeneratedCode];
    if args.quick {
        steps.retain(|&step| step != Step::Doctests);
        report.left_out("doctests, examples, benches");
    }
    let lacking = |step| missing.iter().find(|missing| missing.needed_by.contains(&step));
    if lacking(Step::Tests).is_none() && !compile(root, args.quick)? {
        // The runner reports the error again, and counts it.
        println!("the workspace does not compile");
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

/// The folder into which cargo builds programs, where tests look for them.
pub(crate) fn programs(root: &Path) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    root.join(target).join("debug")
}

/// Compiles the tests and all programs. A test runner would build programs only for integration
/// tests of the same package. Returns whether everything compiles.
pub(crate) fn compile(root: &Path, quick: bool) -> anyhow::Result<bool> {
    println!("\n── compiling ──");
    let mut build = Command::new(cargo());
    build.current_dir(root).args(["build", "--workspace"]).args(targets(quick));
    Ok(build.status().context("cargo could not be started")?.success())
}

/// Runs a step. [`Step::Tests`] leaves out the packages in `without`.
fn run_step(root: &Path, step: Step, quick: bool, without: &[&str]) -> anyhow::Result<(Tally, bool)> {
    let (mut args, dialect) = match step {
        // These tests run as a part of [`Step::Tests`].
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
    command.current_dir(root).args(args).env("DM_PROGRAMS", programs(root));
    for (variable, value) in SHORT {
        if std::env::var_os(variable).is_none() {
            command.env(variable, value);
        }
    }
    let outcome = runner::run(command, dialect)?;
    Ok((outcome.tally, outcome.success))
}

/// nextest is optional: it runs the tests of all crates in parallel, which is faster.
fn has_nextest() -> bool {
    requirements::succeeds(&cargo().to_string_lossy(), &["nextest", "--version"])
}

fn nextest_args<'a>(quick: bool) -> Vec<&'a str> {
    // With this final status level the runner names the skipped tests after its summary.
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
    if quick { QUICK_TARGETS } else { &["--all-targets"] }
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
