//! Programs that the tests need besides Rust, and the Debian packages that contain them.

use std::fmt;
use std::process::{Command, Stdio};

use crate::test::Step;

/// A program that some step needs.
#[derive(Debug)]
pub(crate) struct Requirement {
    /// A short description.
    pub(crate) name: &'static str,
    /// A command, as program and arguments, that succeeds if the program is installed.
    pub(crate) probe: &'static [&'static str],
    /// The Debian packages that contain it.
    pub(crate) debian_packages: &'static [&'static str],
    /// The steps that need it.
    pub(crate) needed_by: &'static [Step],
}

/// All requirements of the workspace.
pub(crate) const REQUIREMENTS: &[Requirement] = &[
    Requirement {
        name: "C compiler",
        probe: &["cc", "--version"],
        debian_packages: &["gcc", "libc6-dev"],
        needed_by: &[Step::Tests, Step::Doctests],
    },
    Requirement {
        name: "PostgreSQL",
        // Debian installs the programs of the server outside the path, in a folder for each
        // version.
        probe: &["sh", "-c", "command -v initdb || ls /usr/lib/postgresql/*/bin/initdb"],
        debian_packages: &["postgresql"],
        // The tests of several nodes on NATS use a common PostgreSQL database.
        needed_by: &[Step::Postgres, Step::Nats],
    },
    Requirement {
        name: "NATS",
        probe: &["nats-server", "--version"],
        debian_packages: &["nats-server"],
        needed_by: &[Step::Nats],
    },
];

impl Requirement {
    /// Whether the program is installed.
    pub(crate) fn is_met(&self) -> bool {
        self.probe.split_first().is_some_and(|(program, args)| succeeds(program, args))
    }
}

/// The description and the packages, as they are listed if the program is missing.
impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (Debian: {})", self.name, self.debian_packages.join(" "))
    }
}

/// Installs missing packages where that is allowed, and prints that. Returns the requirements that
/// are still missing.
pub(crate) fn ensure(requirements: &'static [Requirement]) -> Vec<&'static Requirement> {
    let missing = missing(requirements);
    if missing.is_empty() {
        return missing;
    }
    if may_install() {
        install(&missing);
    } else {
        eprintln!("not installing Debian packages: that takes root and apt-get");
    }
    let missing = self::missing(requirements);
    for requirement in &missing {
        eprintln!("missing: {requirement}");
    }
    missing
}

fn missing(requirements: &'static [Requirement]) -> Vec<&'static Requirement> {
    requirements.iter().filter(|requirement| !requirement.is_met()).collect()
}

fn may_install() -> bool {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0");
    is_root && succeeds("apt-get", &["--version"])
}

/// Runs apt-get and shows its output. The next probe decides whether it succeeded.
fn install(missing: &[&Requirement]) {
    let packages = packages(missing);
    println!("installing Debian packages: {}", packages.join(" "));
    apt_get(&["update"], &[]);
    apt_get(&["install", "--yes", "--no-install-recommends"], &packages);
}

fn apt_get(args: &[&str], packages: &[&str]) {
    let status = Command::new("apt-get")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(args)
        .args(packages)
        .stdin(Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => eprintln!("apt-get {} failed: {status}", args.join(" ")),
        Err(error) => eprintln!("apt-get {} could not start: {error}", args.join(" ")),
    }
}

/// Each package once, in alphabetical order.
fn packages(missing: &[&Requirement]) -> Vec<&'static str> {
    let mut packages: Vec<_> =
        missing.iter().flat_map(|requirement| requirement.debian_packages).copied().collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

/// Whether a command starts and exits with status 0.
pub(crate) fn succeeds(program: &str, args: &[&str]) -> bool {
    Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    static SOME: [Requirement; 3] = [
        Requirement {
            name: "shell",
            probe: &["sh", "-c", "exit 0"],
            debian_packages: &["dash"],
            needed_by: &[],
        },
        Requirement {
            name: "database",
            probe: &["sh", "-c", "exit 1"],
            debian_packages: &["database", "common"],
            needed_by: &[Step::Tests],
        },
        Requirement {
            name: "broker",
            probe: &["/no/such/broker"],
            debian_packages: &["broker", "common"],
            needed_by: &[Step::Tests],
        },
    ];

    #[test]
    fn a_program_that_does_not_start_or_does_not_succeed_is_missing() {
        let names: Vec<_> = missing(&SOME).iter().map(|requirement| requirement.name).collect();
        assert_eq!(names, ["database", "broker"]);
    }

    #[test]
    fn a_package_that_two_requirements_share_is_installed_once() {
        assert_eq!(packages(&missing(&SOME)), ["broker", "common", "database"]);
    }

    #[test]
    fn every_requirement_says_how_to_probe_and_get_it_and_who_needs_it() {
        for requirement in REQUIREMENTS {
            assert!(!requirement.probe.is_empty(), "{requirement}");
            assert!(!requirement.debian_packages.is_empty(), "{requirement}");
            assert!(!requirement.needed_by.is_empty(), "{requirement}");
        }
    }
}
