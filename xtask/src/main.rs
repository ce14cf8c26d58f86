//! `cargo xtask <command>`: everything about this workspace that a person or a machine runs twice.
//!
//! - [`attack`] does to the reference host what people who mean harm would.
//! - [`mod@bench`] measures everything, and writes the page that tells it; [`instructions`] counts those of the hot paths.
//! - [`deep`] runs what takes too long for every commit, and keeps the table of it; [`lowest`]
//!   checks the libraries with the lowest versions of their dependencies.
//! - [`dependencies`] holds those to their rules; [`layers`] finds circles of modules in the libraries.
//! - [`mod@mutants`] changes the libraries and counts the changes that a test notices.
//! - [`proto`] regenerates the protobuf code that is checked in, or says that it is stale.
//! - [`mod@test`] runs every test this machine can run, with [`requirements`] looked after first.
//! - [`tree`] holds `dm-core` to few dependencies.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

mod attack;
mod bench;
mod cargo_tool;
mod copy;
mod deep;
mod dependencies;
mod instructions;
mod layers;
mod lowest;
mod mutants;
mod proto;
mod report;
mod requirements;
mod runner;
mod stamp;
mod table;
mod tally;
mod test;
mod tree;

/// Everything about this workspace that is run twice.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Attack the reference host by turns, and print how unrelated people fare, memory and recovery
    Attack(attack::Args),
    /// Measure everything and write docs/performance.md with its plots, in twenty minutes
    Bench(bench::Args),
    /// Run the long trials, and keep their table in docs/deep.md
    Deep(deep::Args),
    /// Check licences, sources and reasons of the dependencies
    Dependencies,
    /// Find circles of modules in the libraries
    Layers(layers::Args),
    /// Check the libraries with the lowest versions of their dependencies that the manifests allow
    Lowest,
    /// Change the libraries at places that a seed chooses, and count the changes that a test
    /// notices
    Mutants(mutants::Args),
    /// Regenerate the checked-in protobuf code, without a system protoc
    Proto(proto::Args),
    /// Run every test this machine can run, and say what could not run
    Test(test::Args),
    /// Check that dm-core stays light: few crates, no engine, no framework
    Tree,
}

fn main() -> anyhow::Result<ExitCode> {
    let root = workspace_root()?;
    match Cli::parse().command {
        Command::Attack(args) => attack::run(&root, &args),
        Command::Bench(args) => bench::run(&root, &args),
        Command::Deep(args) => deep::run(&root, &args),
        Command::Dependencies => dependencies::run(&root),
        Command::Layers(args) => layers::run(&root, &args),
        Command::Lowest => lowest::run(&root),
        Command::Mutants(args) => mutants::run(&root, &args),
        Command::Proto(args) => proto::run(&root, &args),
        Command::Test(args) => test::run(&root, &args),
        Command::Tree => tree::run(&root),
    }
}

/// The folder of the workspace's `Cargo.toml`.
fn workspace_root() -> anyhow::Result<PathBuf> {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(xtask.parent().context("the xtask crate lies outside a workspace")?.to_owned())
}
