//! Counts the instructions of the hot paths and compares them with the accepted counts. A
//! regression is visible on a noisy machine as well.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};

use crate::bench::cargo;
use crate::requirements::{self, Requirement};

/// The version of the library and of its runner, which must be equal.
const GUNGRAUN: &str = "0.20.0";
/// The growth that counts as a regression, in percent.
const MOST: f64 = 10.0;
/// The accepted counts: a name and a number per line.
const ACCEPTED: &str = "docs/performance/instructions.txt";

static VALGRIND: [Requirement; 1] = [Requirement {
    name: "valgrind",
    probe: &["valgrind", "--version"],
    debian_packages: &["valgrind", "libc6-dbg"],
    needed_by: &[],
}];

type Counts = BTreeMap<String, u64>;

/// Counts, prints the change of each benchmark in percent, and fails if one grew too much.
///
/// # Errors
/// Fails if a required program is missing, or if the measurement fails.
pub(crate) fn run(root: &Path, accept: bool) -> anyhow::Result<ExitCode> {
    ensure!(requirements::ensure(&VALGRIND).is_empty(), "valgrind is needed to count instructions");
    let counted = count(root)?;
    let path = root.join(ACCEPTED);
    if accept {
        std::fs::write(&path, written(&counted))
            .with_context(|| format!("cannot write {}", path.display()))?;
        println!("accepted: {}", path.display());
        return Ok(ExitCode::SUCCESS);
    }
    let accepted =
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let accepted = read(&accepted)?;
    let mut grew = false;
    println!("{:32} {:>14} {:>14} {:>9}", "", "accepted", "now", "change");
    for (name, now) in &counted {
        match accepted.get(name) {
            Some(before) => {
                let change = percent(*before, *now);
                grew |= change > MOST;
                println!("{name:32} {before:>14} {now:>14} {change:>+8.1}%");
            }
            None => println!("{name:32} {:>14} {now:>14} {:>9}", "", "new"),
        }
    }
    for name in accepted.keys().filter(|name| !counted.contains_key(*name)) {
        println!("{name:32} is not counted any more");
    }
    if grew {
        println!(
            "more than {MOST} % more: find the reason, or accept the counts with --accept and give the reason in the commit"
        );
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs all benchmarks under valgrind. The count of each is in a file of its own.
fn count(root: &Path) -> anyhow::Result<Counts> {
    let home = root.join("target/instructions");
    let runner = runner(root)?;
    // The files of an earlier run, which may include benchmarks that no longer exist.
    if home.exists() {
        std::fs::remove_dir_all(&home).with_context(|| format!("cannot empty {}", home.display()))?;
    }
    let status = cargo(root)
        .env("GUNGRAUN_RUNNER", runner)
        .env("GUNGRAUN_HOME", &home)
        .args(["bench", "--package", "dm-bench", "--features", "instructions", "--bench", "instructions"])
        .status()
        .context("cargo could not be started")?;
    ensure!(status.success(), "the benchmarks failed: {status}");
    let mut counts = Counts::new();
    collect(&home, &mut counts)?;
    ensure!(!counts.is_empty(), "nothing was counted in {}", home.display());
    Ok(counts)
}

/// The runner, which is installed if it is missing.
fn runner(root: &Path) -> anyhow::Result<PathBuf> {
    let folder = root.join("target").join(format!("gungraun-{GUNGRAUN}"));
    let runner = folder.join("bin/gungraun-runner");
    if !runner.exists() {
        println!("installing gungraun-runner {GUNGRAUN} into {}", folder.display());
        let status = cargo(root)
            .args(["install", "--locked", "gungraun-runner", "--version", GUNGRAUN, "--root"])
            .arg(&folder)
            .status()
            .context("cargo could not be started")?;
        ensure!(status.success(), "gungraun-runner could not be installed: {status}");
    }
    Ok(runner)
}

/// Reads callgrind's files in a folder and its subfolders. They are named
/// `callgrind.BENCHMARK.CASE.out`.
fn collect(folder: &Path, counts: &mut Counts) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, counts)?;
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(name) = name.strip_prefix("callgrind.").and_then(|name| name.strip_suffix(".out")) {
            let benchmark = name.split('.').next().unwrap_or(name);
            let text =
                std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let total = total(&text).with_context(|| format!("no total in {}", path.display()))?;
            counts.insert(benchmark.to_owned(), total);
        }
    }
    Ok(())
}

/// The instructions in a file of callgrind: the first number after `totals:` or `summary:`.
fn total(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("totals:").or_else(|| line.strip_prefix("summary:")))?;
    line.split_whitespace().next()?.parse().ok()
}

fn written(counts: &Counts) -> String {
    counts.iter().fold(String::new(), |mut text, (name, count)| {
        let _ = writeln!(text, "{name} {count}");
        text
    })
}

fn read(text: &str) -> anyhow::Result<Counts> {
    text.lines()
        .map(|line| {
            let (name, count) =
                line.split_once(' ').with_context(|| format!("no name and number: {line}"))?;
            Ok((name.to_owned(), count.parse()?))
        })
        .collect()
}

fn percent(before: u64, now: u64) -> f64 {
    let (before, now) = (to_float(before), to_float(now));
    if before == 0.0 { 0.0 } else { 100.0 * (now - before) / before }
}

/// The conversion is exact up to 2^53, which no benchmark reaches.
fn to_float(count: u64) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    let float = count as f64;
    float
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_total_counts() {
        assert_eq!(total("events: Ir Dr\nfn=x\n1 2\ntotals: 1234 56\n"), Some(1_234));
        assert_eq!(total("summary: 7\ntotals: 7\n"), Some(7));
        assert_eq!(total("events: Ir\n"), None);
    }

    #[test]
    fn written_counts_are_read_back() {
        let counts: Counts = [("one".to_owned(), 1), ("two".to_owned(), 20_000)].into();
        assert_eq!(read(&written(&counts)).unwrap(), counts);
        read("one\n").unwrap_err();
        read("one two\n").unwrap_err();
    }

    #[test]
    fn growth_is_in_percent_of_before() {
        assert!((percent(200, 230) - 15.0).abs() < 1e-9);
        assert!((percent(200, 100) + 50.0).abs() < 1e-9);
        assert!(percent(0, 5).abs() < 1e-9);
    }
}
