//! `cargo xtask deep`: the trials that take too long for every commit, each to its full number.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::bench::cargo;

/// Which trials to run.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only the trials whose name contains this; the table in docs/deep.md then stays as it is
    #[arg(long)]
    only: Option<String>,
}

/// A trial: a command of cargo, and the numbers it is given in the environment.
struct Trial {
    name: &'static str,
    args: &'static [&'static str],
    numbers: &'static [(&'static str, &'static str)],
}

/// All of them, in the order in which they run.
const TRIALS: &[Trial] = &[
    Trial {
        name: "stores killed and reopened",
        args: &["nextest", "run", "--workspace", "--no-fail-fast", "-E", "test(/crash::/)"],
        numbers: &[("DM_CRASH_SECONDS", "120"), ("DM_CRASH_TRIALS", "400")],
    },
    Trial {
        name: "power cuts",
        args: &["nextest", "run", "--workspace", "--no-fail-fast", "-E", "test(/power_cut/)"],
        numbers: &[("DM_CRASH_SECONDS", "120"), ("DM_CRASH_TRIALS", "400")],
    },
    Trial {
        name: "random scripts against the model",
        args: &["nextest", "run", "--workspace", "--no-fail-fast", "-E", "test(/model::/)"],
        numbers: &[("DM_CASES", "512")],
    },
    Trial {
        name: "concurrent histories",
        args: &["nextest", "run", "--workspace", "--no-fail-fast", "-E", "test(/histories::/)"],
        numbers: &[("DM_ROUNDS", "20")],
    },
    Trial {
        name: "host killed under traffic",
        args: &["nextest", "run", "--package", "dm-e2e", "--no-fail-fast", "-E", "test(/killed_host::/)"],
        numbers: &[("DM_HOST_KILLS", "200")],
    },
    Trial { name: "lowest versions of dependencies", args: &["xtask", "lowest"], numbers: &[] },
    Trial {
        name: "licences and advisories",
        args: &["deny", "check", "licenses", "bans", "sources"],
        numbers: &[],
    },
];

/// How a trial ended.
struct Ran {
    trial: &'static Trial,
    good: bool,
    /// The last line of its output that says a number of tests or of crates.
    said: String,
    took: Duration,
}

/// Runs the trials one after another, each with its output in a file of its own, and writes `docs/deep.md`. Fails when
/// one of them fails.
///
/// # Errors
/// When cargo cannot be started, or a file cannot be written.
pub(crate) fn run(root: &Path, args: &Args) -> anyhow::Result<ExitCode> {
    let logs = root.join("target/deep");
    fs::create_dir_all(&logs).with_context(|| format!("making {}", logs.display()))?;
    let wanted = |trial: &&Trial| args.only.as_ref().is_none_or(|part| trial.name.contains(part.as_str()));
    let mut ran = Vec::new();
    for trial in TRIALS.iter().filter(wanted) {
        let log = logs.join(trial.name.replace(' ', "-")).with_extension("log");
        println!("{} … ({})", trial.name, log.display());
        let trial = run_one(root, trial, &log)?;
        println!("    {}: {} in {} s", verdict(trial.good), trial.said, trial.took.as_secs());
        ran.push(trial);
    }
    let good = ran.iter().all(|trial| trial.good) && !ran.is_empty();
    let table = page(&ran, &commit(root));
    println!("\n{table}");
    if args.only.is_none() {
        fs::write(root.join("docs/deep.md"), table).context("writing docs/deep.md")?;
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_one(root: &Path, trial: &'static Trial, log: &PathBuf) -> anyhow::Result<Ran> {
    let output = File::create(log).with_context(|| format!("making {}", log.display()))?;
    let began = Instant::now();
    let status = cargo(root)
        .args(trial.args)
        .envs(trial.numbers.iter().copied())
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .status()
        .with_context(|| format!("{} could not be started", trial.name))?;
    let text = fs::read_to_string(log).with_context(|| format!("reading {}", log.display()))?;
    Ok(Ran { trial, good: status.success(), said: result_line(&text), took: began.elapsed() })
}

/// The last line that tells a result: the summary of nextest, or the last line that is not empty.
fn result_line(output: &str) -> String {
    let summary = output.lines().rev().find_map(|line| line.split_once(" tests run: ")).map(|(_, said)| said);
    let last = || output.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no output");
    summary.unwrap_or_else(last).trim().to_owned()
}

fn page(ran: &[Ran], commit: &str) -> String {
    let mut page = format!(
        "# The long trials\n\n`cargo xtask deep` runs them and writes this page. Commit {commit}.\n\n\
         | trial | numbers | result | | minutes |\n|---|---|---|---|---|\n"
    );
    for Ran { trial, good, said, took } in ran {
        let numbers = trial.numbers.iter().map(|(name, value)| format!("`{name}={value}`"));
        let numbers = numbers.collect::<Vec<_>>().join(" ");
        let minutes = took.as_secs_f64() / 60.0;
        // Writing to a string cannot fail.
        let _ = writeln!(page, "| {} | {numbers} | {} | {said} | {minutes:.1} |", trial.name, verdict(*good));
    }
    page
}

const fn verdict(good: bool) -> &'static str {
    if good { "passed" } else { "**failed**" }
}

/// The commit that was tested, and whether something was changed since.
fn commit(root: &Path) -> String {
    let git = |args: &[&str]| {
        let output = Command::new("git").current_dir(root).args(args).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let name = git(&["rev-parse", "--short", "HEAD"]).unwrap_or_else(|| "unknown".to_owned());
    let changed = git(&["status", "--porcelain"]).is_none_or(|changed| !changed.is_empty());
    if changed { format!("{name} with changes") } else { name }
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
    fn the_page_has_a_row_for_each_trial_and_shows_which_failed() {
        let ran = |good| Ran {
            trial: &TRIALS[0],
            good,
            said: "3 passed".to_owned(),
            took: Duration::from_secs(90),
        };
        let page = page(&[ran(true), ran(false)], "abc");
        let rows: Vec<_> = page.lines().filter(|line| line.contains("stores killed")).collect();
        assert_eq!(rows.len(), 2);
        assert!(rows[0].ends_with("| passed | 3 passed | 1.5 |"));
        assert!(rows[1].contains("**failed**"));
    }
}
