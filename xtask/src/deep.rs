//! `cargo xtask deep`: the long tests, which take too much time for every commit.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::builder::PossibleValuesParser;

use crate::runner;
use crate::stamp::Stamp;
use crate::table::Table;
use crate::tally::Dialect;
use crate::test;

mod step;

use step::{Runs, STEPS, Step};

/// The text above the table.
const HEAD: &str = "# The long tests\n\n\
    `cargo xtask deep` runs them and writes this page; `cargo xtask deep crash deny` runs two of them.\n\
    A test that was not run keeps its last row. `result` is the last line that it printed.\n\n";

/// The columns of its table.
const COLUMNS: &[&str] = &["step", "verdict", "what", "numbers", "result", "seconds", "date", "commit"];

/// The tests to run.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The tests to run, all of them unless some are named. Variables such as `DM_HOST_KILLS`
    /// change their numbers
    #[arg(value_parser = PossibleValuesParser::new(names()))]
    steps: Vec<String>,
    /// The page with the table; rows of tests that do not run are kept
    #[arg(long, default_value = "docs/deep.md")]
    out: PathBuf,
}

/// The result of a test.
#[derive(Debug)]
struct StepResult {
    good: bool,
    /// The line of its output with the result.
    said: String,
    took: Duration,
}

/// Runs the tests one after another, also after one failed, and writes the row of each when it
/// ends. Keeps their output in files in `target/deep` as well. Fails if one of them fails.
///
/// # Errors
/// Fails if the page cannot be written.
pub(crate) fn run(root: &Path, args: &Args) -> anyhow::Result<ExitCode> {
    let out = root.join(&args.out);
    let logs = root.join("target/deep");
    fs::create_dir_all(&logs).with_context(|| format!("making {}", logs.display()))?;
    let table = Table { columns: COLUMNS, names: names() };
    let wanted = |step: &&Step| args.steps.is_empty() || args.steps.iter().any(|name| name == step.name);
    let steps: Vec<_> = STEPS.iter().filter(wanted).collect();
    if steps.iter().any(|step| matches!(step.runs, Runs::Tests(_))) && !test::compile(root, true)? {
        println!("the workspace does not compile");
    }
    let mut failed = Vec::new();
    for (step, number) in steps.iter().zip(1..) {
        println!("\n━━ {} ({number} of {}): {}", step.name, steps.len(), step.what);
        let (began, stamp) = (Instant::now(), Stamp::now(root));
        let ended = run_one(root, step, &logs.join(step.name).with_extension("log"));
        let ended = ended.unwrap_or_else(|error| StepResult {
            good: false,
            said: format!("{error:#}"),
            took: began.elapsed(),
        });
        println!("━━ {} {}: {} in {} s", step.name, verdict(ended.good), ended.said, ended.took.as_secs());
        if !ended.good {
            failed.push(step.name);
        }
        let earlier = fs::read_to_string(&out).unwrap_or_default();
        let row = row(step, &ended, &stamp);
        let page = format!("{HEAD}{}", table.renewed(&[(step.name, row)], &earlier));
        fs::write(&out, page).with_context(|| format!("writing {}", out.display()))?;
    }
    println!("\n{}", fs::read_to_string(&out).unwrap_or_default());
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    println!("failed: {}", failed.join(", "));
    Ok(ExitCode::FAILURE)
}

fn run_one(root: &Path, step: &Step, log: &Path) -> anyhow::Result<StepResult> {
    let command = step.command(root)?;
    let file = File::create(log).with_context(|| format!("making {}", log.display()))?;
    let both = |other| anyhow::Ok(Tee(file.try_clone()?, other));
    let out: Box<dyn Write + Send> = Box::new(both(io::stdout())?);
    let err: Box<dyn Write + Send> = Box::new(Tee(file.try_clone()?, io::stderr()));
    let began = Instant::now();
    let outcome = runner::run_into(command, Dialect::Nextest, out, err)?;
    let text = fs::read(log).with_context(|| format!("reading {}", log.display()))?;
    let said = result_line(&String::from_utf8_lossy(&text));
    Ok(StepResult { good: outcome.success, said, took: began.elapsed() })
}

/// A writer that writes to two others.
#[derive(Debug)]
struct Tee<A, B>(A, B);

impl<A: Write, B: Write> Write for Tee<A, B> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(bytes)?;
        self.1.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()?;
        self.1.flush()
    }
}

/// The line with the result: the summary of nextest, or else the last line that is not empty.
fn result_line(output: &str) -> String {
    let summary = output.lines().rev().find_map(|line| line.split_once(" tests run: ")).map(|(_, said)| said);
    let last = || output.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no output");
    summary.unwrap_or_else(last).trim().to_owned()
}

fn row(step: &Step, ended: &StepResult, stamp: &Stamp) -> Vec<String> {
    let numbers = step.numbers().map(|(name, value)| format!("`{name}={}`", value.to_string_lossy()));
    vec![
        verdict(ended.good).to_owned(),
        step.what.to_owned(),
        numbers.collect::<Vec<_>>().join(" "),
        ended.said.clone(),
        ended.took.as_secs().to_string(),
        stamp.day.clone(),
        stamp.commit.clone(),
    ]
}

const fn verdict(good: bool) -> &'static str {
    if good { "passed" } else { "**failed**" }
}

fn names() -> Vec<&'static str> {
    STEPS.iter().map(|step| step.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_of_the_tests_is_what_a_trial_says() {
        let output = "  PASS a\n   Summary [ 1.2s] 3 tests run: 3 passed, 8 skipped\nwarning: something\n";
        assert_eq!(result_line(output), "3 passed, 8 skipped");
        assert_eq!(result_line("checking\nlicenses ok\n\n"), "licenses ok");
        assert_eq!(result_line(""), "no output");
    }

    #[test]
    fn a_row_shows_whether_the_step_failed_its_numbers_and_its_seconds() {
        let ended =
            StepResult { good: false, said: "2 passed, 1 failed".to_owned(), took: Duration::from_secs(90) };
        let kills = STEPS.iter().find(|step| step.name == "host-kills").unwrap();
        let stamp = Stamp { day: "2024-12-31".to_owned(), commit: "abc".to_owned() };
        let row = row(kills, &ended, &stamp);
        assert_eq!(row.len() + 1, COLUMNS.len());
        assert_eq!(
            [&row[0], &row[2], &row[3], &row[4]],
            ["**failed**", "`DM_HOST_KILLS=200`", "2 passed, 1 failed", "90"]
        );
    }

    #[test]
    fn every_step_has_a_name_of_its_own() {
        let mut names = names();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), STEPS.len());
    }
}
