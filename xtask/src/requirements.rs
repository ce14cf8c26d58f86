//! What the tests need from the system beyond Rust, and how it is got on Debian and its kin.

use std::fmt;
use std::process::{Command, Stdio};

use crate::test::Step;

/// Something that must be installed for some step to run.
#[derive(Debug)]
pub(crate) struct Requirement {
    /// What it is, for people.
    pub(crate) name: &'static str,
    /// A command that succeeds when it is there: program, then arguments.
    pub(crate) probe: &'static [&'static str],
    /// The Debian packages that bring it.
    pub(crate) debian_packages: &'static [&'static str],
    /// The steps that cannot run without it.
    pub(crate) needed_by: &'static [Step],
}

/// Everything the workspace needs.
pub(crate) const REQUIREMENTS: &[Requirement] = &[
    Requirement {
        name: "C compiler",
        probe: &["cc", "--version"],
        debian_packages: &["gcc", "libc6-dev"],
        needed_by: &[Step::Tests, Step::Doctests],
    },
    Requirement {
        name: "PostgreSQL",
        // Debian keeps the server's programs out of the path, in a folder for each version.
        probe: &["sh", "-c", "command -v initdb || ls /usr/lib/postgresql/*/bin/initdb"],
        debian_packages: &["postgresql"],
        // The nodes that are tested on NATS share a database of it.
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
    /// Whether it is there now.
    pub(crate) fn is_met(&self) -> bool {
        self.probe.split_first().is_some_and(|(program, args)| succeeds(program, args))
    }
}

/// Name and packages, as listed when it is missing.
impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (Debian: {})", self.name, self.debian_packages.join(" "))
    }
}

/// Installs what is missing where that is allowed, saying so, and returns what is missing still.
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

/// Runs apt-get in sight of the caller. Whether it worked is for the next probe to say.
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
    fn what_does_not_start_or_does_not_succeed_is_missing() {
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
