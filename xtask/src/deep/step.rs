//! The long tests.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use crate::bench::cargo;
use crate::cargo_tool::DENY;
use crate::test::{QUICK_TARGETS, programs};

/// One long test.
#[derive(Debug)]
pub(super) struct Step {
    /// Its name on the command line.
    pub(super) name: &'static str,
    /// A description of what it tests.
    pub(super) what: &'static str,
    pub(super) runs: Runs,
    /// Its numbers, by the environment variables that change them.
    numbers: &'static [(&'static str, &'static str)],
}

/// The program that a long test runs.
#[derive(Debug)]
pub(super) enum Runs {
    /// The tests of the workspace that match a filter expression of nextest.
    Tests(&'static str),
    /// A command of this program.
    Xtask(&'static [&'static str]),
    /// `cargo deny`.
    Deny(&'static [&'static str]),
}

/// All long tests, in the order in which they run: short ones first.
pub(super) const STEPS: &[Step] = &[
    Step {
        name: "deny",
        what: "licences, banned crates and sources of the dependencies",
        runs: Runs::Deny(&["check", "--hide-inclusion-graph", "bans", "licenses", "sources"]),
        numbers: &[],
    },
    Step {
        name: "advisories",
        what: "known vulnerabilities of the dependencies, by the database of rustsec.org",
        runs: Runs::Deny(&["check", "--hide-inclusion-graph", "advisories"]),
        numbers: &[],
    },
    Step {
        name: "lowest",
        what: "the libraries with the lowest versions of their dependencies",
        runs: Runs::Xtask(&["lowest"]),
        numbers: &[],
    },
    Step {
        name: "power-cuts",
        what: "power cuts, in which unsynced writes are lost, torn or reordered",
        runs: Runs::Tests("test(/power_cut/)"),
        numbers: &[],
    },
    Step {
        name: "histories",
        what: "concurrent histories of all stores",
        runs: Runs::Tests("test(/histories::/)"),
        numbers: &[("DM_ROUNDS", "20")],
    },
    Step {
        name: "scripts",
        what: "random scripts on all stores against the model",
        runs: Runs::Tests("test(/model::/)"),
        numbers: &[("DM_CASES", "512")],
    },
    Step {
        name: "crash",
        what: "stores killed under writes and opened again",
        runs: Runs::Tests("test(/crash/)"),
        numbers: &[("DM_CRASH_SECONDS", "120"), ("DM_CRASH_TRIALS", "400")],
    },
    Step {
        name: "host-kills",
        what: "the host killed under traffic, on each embedded store",
        runs: Runs::Tests("test(/killed_host/)"),
        numbers: &[("DM_HOST_KILLS", "200")],
    },
    Step {
        name: "mutants",
        what: "mutation testing of the libraries; by crate in [mutants.md](mutants.md)",
        runs: Runs::Xtask(&["mutants", "--out", "docs/mutants.md"]),
        numbers: &[("DM_MUTANTS", "100")],
    },
];

impl Step {
    /// The command that runs the test.
    ///
    /// # Errors
    /// Fails if a tool has to be built and the build fails.
    pub(super) fn command(&self, root: &Path) -> anyhow::Result<Command> {
        let mut command = match self.runs {
            Runs::Tests(filter) => {
                let mut tests = cargo(root);
                tests.args(["nextest", "run", "--workspace", "--profile", "deep", "-E", filter]);
                tests.args(QUICK_TARGETS).env("DM_PROGRAMS", programs(root));
                tests
            }
            Runs::Xtask(args) => {
                // Not the path of this program: a step that compiles the workspace may have replaced it.
                let mut xtask = cargo(root);
                xtask.arg("xtask").args(args);
                xtask
            }
            Runs::Deny(args) => {
                let mut deny = DENY.command(root, root)?;
                deny.args(args);
                deny
            }
        };
        command.envs(self.numbers()).env("NO_COLOR", "1");
        Ok(command)
    }

    /// The numbers of the test, unless the environment sets others.
    pub(super) fn numbers(&self) -> impl Iterator<Item = (&'static str, OsString)> + '_ {
        self.numbers
            .iter()
            .map(|&(name, value)| (name, std::env::var_os(name).unwrap_or_else(|| value.into())))
    }
}
