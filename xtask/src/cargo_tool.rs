//! Subcommands of cargo that few commands need. Each is used in one version, so that two machines
//! get the same figures.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::bench::cargo;
use crate::requirements::succeeds;

/// A subcommand of cargo that is a separate crate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CargoTool {
    /// The name of the subcommand. Its crate is `cargo-` and this name.
    pub(crate) subcommand: &'static str,
    /// The version to use.
    pub(crate) version: &'static str,
}

/// Makes mutants of the sources and runs tests on each.
pub(crate) const MUTANTS: CargoTool = CargoTool { subcommand: "mutants", version: "27.1.0" };

/// Checks licences, sources and advisories.
pub(crate) const DENY: CargoTool = CargoTool { subcommand: "deny", version: "0.20.2" };

impl CargoTool {
    /// A command that runs the subcommand in a folder. The program is built into `target/tools` if
    /// it is not there yet. A version that the machine has installed is neither used nor changed.
    ///
    /// # Errors
    /// Fails if the program has to be built and the build fails.
    pub(crate) fn command(self, root: &Path, folder: &Path) -> anyhow::Result<Command> {
        let Self { subcommand, version } = self;
        let tools = root.join(format!("target/tools/cargo-{subcommand}-{version}"));
        let program = tools.join("bin").join(format!("cargo-{subcommand}"));
        if !succeeds(&program.to_string_lossy(), &[subcommand, "--version"]) {
            println!("building cargo-{subcommand} {version}");
            let mut install = cargo(root);
            // A build without optimization takes less time; most of the time that these programs
            // need is the compiler's.
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
