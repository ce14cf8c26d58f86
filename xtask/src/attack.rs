//! `cargo xtask attack`: runs attacks on the reference host.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::bench::cargo;

/// The subject of the attacks and their duration.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Turns of each attack; half of each turn is quiet
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of each half of a turn
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    /// One turn of a second each, to check that it runs; its p99 is not meaningful
    #[arg(long, conflicts_with_all = ["rounds", "seconds"])]
    short: bool,
    /// The store that the host keeps messages in: sqlite, redb, fjall or memory
    #[arg(long, default_value = "sqlite")]
    store: String,
    /// Only attacks whose name contains this
    #[arg(long)]
    only: Option<String>,
}

/// Runs the attacks in the load generator, which builds the host. Fails if a call of an unrelated
/// user was not served, if memory exceeded its bound, or if the host did not recover by itself.
/// Times never make it fail.
///
/// # Errors
/// Fails if cargo cannot be started.
pub(crate) fn run(root: &Path, args: &Args) -> anyhow::Result<ExitCode> {
    let mut attack = cargo(root);
    attack.args(["run", "--release", "--package", "dm-bench", "--", "attack", "--store", &args.store]);
    let (rounds, seconds) = if args.short { (1, 1) } else { (args.rounds, args.seconds) };
    attack.args(["--rounds", &rounds.to_string(), "--seconds", &seconds.to_string()]);
    if let Some(only) = &args.only {
        attack.args(["--only", only]);
    }
    let success = attack.status().context("cargo could not be started")?.success();
    Ok(if success { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
