//! `cargo xtask attack`: attacks on the reference host by turns.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::bench::cargo;

/// What to attack, and for how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Turns of each attack, half of each quiet
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Where the host keeps messages: sqlite, redb, fjall or memory
    #[arg(long, default_value = "sqlite")]
    store: String,
    /// Only attacks whose name contains this
    #[arg(long)]
    only: Option<String>,
}

/// Runs them in the load harness, which builds the host. Fails when one of them was noticed by others or left traces.
///
/// # Errors
/// When cargo cannot be started.
pub(crate) fn run(root: &Path, args: &Args) -> anyhow::Result<ExitCode> {
    let mut attack = cargo(root);
    attack.args(["run", "--release", "--package", "dm-bench", "--", "attack", "--store", &args.store]);
    attack.args(["--rounds", &args.rounds.to_string()]);
    if let Some(only) = &args.only {
        attack.args(["--only", only]);
    }
    let success = attack.status().context("cargo could not be started")?.success();
    Ok(if success { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
