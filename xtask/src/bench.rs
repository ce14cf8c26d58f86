//! `cargo xtask bench`: measures everything and writes `docs/performance.md` with its plots, or
//! counts instructions.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::Context as _;

use crate::instructions;

/// The extent of the measurements and their output folder.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Four minutes instead of twenty, to check that it runs; choose another folder with `--out`,
    /// because the figures are not meaningful
    #[arg(long)]
    quick: bool,
    /// With five million stored messages instead of one, and a million conversations: an hour
    #[arg(long, conflicts_with = "quick")]
    full: bool,
    /// Only count the instructions of the hot paths under valgrind, and compare them with the
    /// accepted counts in docs/performance
    #[arg(long, conflicts_with_all = ["quick", "full"])]
    instructions: bool,
    /// Store the new counts as the accepted ones
    #[arg(long, requires = "instructions")]
    accept: bool,
    /// The folder for `performance.md` and its plots
    #[arg(long, default_value = "docs")]
    out: PathBuf,
}

/// Runs the load generator, which builds the host that it measures.
///
/// # Errors
/// Fails if cargo cannot be started, or if counting instructions fails.
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

/// A cargo command in the workspace.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root);
    cargo
}
