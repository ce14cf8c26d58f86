//! `cargo xtask <command>`: the recurring tasks of this workspace.
//!
//! - [`attack`] runs attacks on the reference host.
//! - [`mod@bench`] measures everything and writes a page with the figures; [`instructions`] counts
//!   the instructions of the hot paths.
//! - [`deep`] runs the long tests and keeps the table of their results; [`lowest`] checks the
//!   libraries with the lowest versions of their dependencies.
//! - [`dependencies`] checks the rules for dependencies; [`layers`] finds circles of modules in the
//!   libraries.
//! - [`mod@mutants`] changes the libraries and counts the changes that a test catches.
//! - [`proto`] regenerates the checked-in protobuf code, or reports that it is stale.
//! - [`mod@test`] runs every test that this machine can run, after [`requirements`] installed what
//!   is missing.
//! - [`tree`] checks that `dm-core` has few dependencies.

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
mod source;
mod stamp;
mod table;
mod tally;
mod test;
mod tree;

/// The recurring tasks of this workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Attack the reference host, and print the delay for unrelated users, memory and recovery
    Attack(attack::Args),
    /// Measure everything and write docs/performance.md with its plots, in twenty minutes (an hour with --full)
    Bench(bench::Args),
    /// Run the long tests, and keep their table in docs/deep.md
    Deep(deep::Args),
    /// Check licences, sources and reasons of the dependencies, and the list of public ones
    Dependencies,
    /// Find circles of modules in the libraries
    Layers(layers::Args),
    /// Check the libraries with the lowest versions of their dependencies that the manifests allow
    Lowest,
    /// Mutation testing of the libraries: make changes that a seed chooses, and count those that a
    /// test catches
    Mutants(mutants::Args),
    /// Regenerate the checked-in protobuf code, without a system protoc
    Proto(proto::Args),
    /// Run every test that this machine can run, and name those that could not run
    Test(test::Args),
    /// Check that dm-core has few dependencies, no engine and no framework
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
    Ok(xtask.parent().context("the xtask crate is not in a workspace")?.to_owned())
}
