//! Subcommands of cargo that few commands need, each at one version, so that two machines get the
//! same figures.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::bench::cargo;
use crate::requirements::succeeds;

/// A subcommand of cargo that is a crate of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CargoTool {
    /// The subcommand; its crate is `cargo-` and this.
    pub(crate) subcommand: &'static str,
    /// The version that is used.
    pub(crate) version: &'static str,
}

/// Makes mutants of sources, and runs tests on each.
pub(crate) const MUTANTS: CargoTool = CargoTool { subcommand: "mutants", version: "27.1.0" };

/// Checks licences, sources and advisories.
pub(crate) const DENY: CargoTool = CargoTool { subcommand: "deny", version: "0.20.2" };

impl CargoTool {
    /// A command that runs the subcommand in a folder. The program lies in `target/tools`, where it
    /// is built first if it is not there yet: what the machine has installed stays as it is.
    ///
    /// # Errors
    /// When it has to be built and cannot be.
    pub(crate) fn command(self, root: &Path, folder: &Path) -> anyhow::Result<Command> {
        let Self { subcommand, version } = self;
        let tools = root.join(format!("target/tools/cargo-{subcommand}-{version}"));
        let program = tools.join("bin").join(format!("cargo-{subcommand}"));
        if !succeeds(&program.to_string_lossy(), &[subcommand, "--version"]) {
            println!("building cargo-{subcommand} {version}");
            let mut install = cargo(root);
            // Without optimization both are built sooner; the compiler does most of their work.
            install.args(["install", "--locked", "--debug", "--root"]).arg(&tools);
            install.env("CARGO_PROFILE_DEV_DEBUG", "0");
            // The wrapper that checks lints is for this workspace only.
            install.env_remove("RUSTC_WORKSPACE_WRAPPER").env_remove("CARGO_TARGET_DIR");
            let built = install.arg(format!("cargo-{subcommand}@{version}")).status();
            let built = built.context("cargo install could not be started")?.success();
            ensure!(built, "cargo-{subcommand} {version} could not be built");
        }
        let mut command = Command::new(program);
        command.arg(subcommand).current_dir(folder);
        Ok(command)
    }
}
