//! `cargo xtask bench`: measures everything and writes `docs/performance.md` with its plots, or counts instructions.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::Context as _;

use crate::instructions;

/// What to measure, and where to write it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Four minutes instead of twenty, to see that it runs; give another folder with `--out`, because the figures are bad
    #[arg(long)]
    quick: bool,
    /// With five million messages stored instead of one, and a million conversations: an hour
    #[arg(long, conflicts_with = "quick")]
    full: bool,
    /// Only count the instructions of the hot paths, under valgrind, and compare them with those that are checked in
    #[arg(long, conflicts_with_all = ["quick", "full"])]
    instructions: bool,
    /// Check in what was counted
    #[arg(long, requires = "instructions")]
    accept: bool,
    /// The folder for `performance.md` and its plots
    #[arg(long, default_value = "docs")]
    out: PathBuf,
}

/// Runs the load harness, which builds the host that it measures.
///
/// # Errors
/// When cargo cannot be started, and what counting instructions reports.
pub(crate) fn run(root: &Path, args: &Args) -> anyhow::Result<ExitCode> {
    if args.instructions {
        return instructions::run(root, args.accept);
    }
    let mut report = cargo(root);
    report.args(["run", "--release", "--package", "dm-bench", "--", "report", "--out"]).arg(&args.out);
    for (wanted, flag) in [(args.quick, "--quick"), (args.full, "--full")] {
        if wanted {
            report.arg(flag);
        }
    }
    let success = report.status().context("cargo could not be started")?.success();
    Ok(if success { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Cargo, in the workspace.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root);
    cargo
}
