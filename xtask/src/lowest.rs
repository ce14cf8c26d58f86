//! `cargo xtask lowest`: checks that the libraries work with the lowest versions that their
//! manifests allow.
//!
//! A host that pins an older version of a dependency must get either an error from the resolver or
//! a working library. A manifest once allowed a version of axum with another version of the
//! WebSocket library, and close codes were lost without an error.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, ensure};
use semver::{Op, Version, VersionReq};
use serde_json::Value;

use crate::bench::cargo;
use crate::copy::copy_tracked;

/// The crates that hosts and clients depend on.
const LIBRARIES: [&str; 10] = [
    "dm-proto",
    "dm-core",
    "dm-store-sqlite",
    "dm-store-kv",
    "dm-store-redb",
    "dm-store-fjall",
    "dm-store-postgres",
    "dm-notify-nats",
    "dm-axum",
    "dm-client",
];

/// A direct dependency of a library.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Direct {
    name: String,
    resolved: Version,
    lowest: Version,
}

/// The library whose tests run. Its WebSockets need versions of several dependencies that fit
/// together.
const TESTED: &str = "dm-axum";

/// Copies the workspace, sets each direct dependency of the libraries to its lowest version in the
/// copy, checks the libraries, and runs the tests of [`TESTED`].
///
/// # Errors
/// Fails if cargo or git cannot be started, or if their output is unexpected.
pub(crate) fn run(root: &Path) -> anyhow::Result<ExitCode> {
    let copy = root.join("target/lowest");
    copy_tracked(root, &copy)?;
    keep_libraries(&copy)?;
    let mut refused = BTreeMap::new();
    // Lowering one dependency may allow another to go lower.
    loop {
        let mut lowered = 0;
        refused.clear();
        for direct in directs(&metadata(&copy)?)? {
            if direct.resolved == direct.lowest {
                continue;
            }
            match lower(&copy, &direct)? {
                None => {
                    println!("{} {} → {}", direct.name, direct.resolved, direct.lowest);
                    lowered += 1;
                }
                Some(reason) => {
                    refused.insert(format!("{} {}", direct.name, direct.lowest), reason);
                }
            }
        }
        if lowered == 0 {
            break;
        }
    }
    for (which, reason) in &refused {
        println!("a manifest allows {which}, which cargo cannot select:\n{reason}");
    }
    let packages: Vec<_> = LIBRARIES.iter().flat_map(|library| ["--package", library]).collect();
    let checked = succeeds(cargo(&copy).args(["check", "--locked"]).args(packages))?;
    let tested =
        checked && succeeds(cargo(&copy).args(["test", "--locked", "--package", TESTED, "--tests"]))?;
    let good = refused.is_empty() && tested;
    println!(
        "lowest versions: {} refused, libraries {}, sockets {}",
        refused.len(),
        if checked { "compile" } else { "do not compile" },
        if tested { "pass" } else { "do not pass" },
    );
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Keeps only the libraries in the copy, without their test dependencies, except those of
/// [`TESTED`]. A host has neither the other crates nor the test dependencies, and they would keep
/// versions higher.
fn keep_libraries(copy: &Path) -> anyhow::Result<()> {
    change(&copy.join("Cargo.toml"), |manifest| with_members(manifest, &LIBRARIES))?;
    for library in LIBRARIES.into_iter().filter(|&library| library != TESTED) {
        change(&copy.join(library).join("Cargo.toml"), |manifest| Some(without_tests(manifest)))?;
    }
    Ok(())
}

fn change(path: &Path, changed: impl FnOnce(&str) -> Option<String>) -> anyhow::Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let text = changed(&text).with_context(|| format!("{} has an unexpected form", path.display()))?;
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

/// The workspace manifest with these members.
fn with_members(manifest: &str, members: &[&str]) -> Option<String> {
    let (before, rest) = manifest.split_once("members = [")?;
    let (_, after) = rest.split_once(']')?;
    Some(format!("{before}members = {members:?}{after}"))
}

/// The manifest of a package without its test dependencies.
fn without_tests(manifest: &str) -> String {
    let mut kept = String::with_capacity(manifest.len());
    let mut keeps = true;
    for line in manifest.lines() {
        if line.starts_with('[') {
            keeps = line != "[dev-dependencies]";
        }
        if keeps {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

fn metadata(copy: &Path) -> anyhow::Result<Value> {
    let output =
        cargo(copy).args(["metadata", "--format-version", "1"]).output().context("cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("parsing the output of cargo metadata")
}

/// The direct dependencies of the libraries, without test dependencies, at the currently resolved
/// versions.
fn directs(metadata: &Value) -> anyhow::Result<BTreeSet<Direct>> {
    let packages = metadata["packages"].as_array().context("no packages")?;
    let by_id: BTreeMap<_, _> =
        packages.iter().filter_map(|package| Some((package["id"].as_str()?, package))).collect();
    let nodes = metadata["resolve"].get("nodes").and_then(Value::as_array).context("no resolution")?;
    let mut found = BTreeSet::new();
    for node in nodes {
        let package =
            by_id.get(node["id"].as_str().unwrap_or_default()).context("a node without a package")?;
        if !package["name"].as_str().is_some_and(|name| LIBRARIES.contains(&name)) {
            continue;
        }
        for wanted in package["dependencies"].as_array().into_iter().flatten() {
            // Test dependencies have a kind; crates of this workspace have no source.
            if !wanted["kind"].is_null() || wanted["source"].is_null() {
                continue;
            }
            let name = wanted["name"].as_str().context("a dependency without a name")?;
            let required: VersionReq = wanted["req"].as_str().context("no requirement")?.parse()?;
            for version in resolved(node, &by_id, name) {
                let version: Version = version.parse()?;
                if required.matches(&version) {
                    let lowest = lowest(&required);
                    found.insert(Direct { name: name.to_owned(), resolved: version, lowest });
                }
            }
        }
    }
    Ok(found)
}

/// The versions of a dependency that were resolved for a package.
fn resolved<'a>(node: &'a Value, by_id: &BTreeMap<&str, &'a Value>, name: &str) -> Vec<&'a str> {
    let given = node["deps"].as_array().into_iter().flatten();
    given
        .filter_map(|dependency| by_id.get(dependency["pkg"].as_str()?).copied())
        .filter(|package| package["name"].as_str() == Some(name))
        .filter_map(|package| package["version"].as_str())
        .collect()
}

/// The lowest version that a requirement allows.
fn lowest(required: &VersionReq) -> Version {
    let bounds = required.comparators.iter().filter(|bound| !matches!(bound.op, Op::Less | Op::LessEq));
    let versions = bounds.map(|bound| {
        let mut version = Version::new(bound.major, bound.minor.unwrap_or(0), bound.patch.unwrap_or(0));
        version.pre = bound.pre.clone();
        version
    });
    versions.max().unwrap_or(Version::new(0, 0, 0))
}

/// Sets a dependency to its lowest version. Returns the error of cargo if that is not possible.
fn lower(copy: &Path, direct: &Direct) -> anyhow::Result<Option<String>> {
    let which = format!("{}@{}", direct.name, direct.resolved);
    let output = cargo(copy)
        .args(["update", "--quiet", &which, "--precise", &direct.lowest.to_string()])
        .output()
        .context("cargo update")?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Ok((!output.status.success()).then_some(said))
}

fn succeeds(command: &mut Command) -> anyhow::Result<bool> {
    Ok(command.status().context("cargo could not be started")?.success())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_lowest_version_of_a_requirement_is_its_largest_lower_bound() {
        let lowest = |required: &str| super::lowest(&required.parse().unwrap()).to_string();
        assert_eq!(lowest("1"), "1.0.0");
        assert_eq!(lowest("0.8.9"), "0.8.9");
        assert_eq!(lowest("~4.6"), "4.6.0");
        assert_eq!(lowest(">=0.38, <0.44"), "0.38.0");
        assert_eq!(lowest("=0.20.0"), "0.20.0");
    }

    #[test]
    fn the_copy_has_the_libraries_and_nothing_that_only_tests_need() {
        let workspace = "[workspace]\nmembers = [\n    \"a\",\n    \"b\",\n]\n[profile.dev]\n";
        assert_eq!(
            super::with_members(workspace, &["a"]).unwrap(),
            "[workspace]\nmembers = [\"a\"]\n[profile.dev]\n"
        );
        let package = "[dependencies]\na = \"1\"\n\n[dev-dependencies]\nb = \"1\"\n\n[features]\nc = []\n";
        assert_eq!(super::without_tests(package), "[dependencies]\na = \"1\"\n\n[features]\nc = []\n");
    }
}
