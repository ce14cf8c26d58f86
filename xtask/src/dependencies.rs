//! `cargo xtask dependencies`: checks the dependencies against the rules of `deny.toml`, without a
//! tool that has to be built first, and checks that each has its reason.
//!
//! - [`interface`] finds the crates whose types are in the public interface of a library;
//!   [`public`] compares them with the list of those that may be.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use spdx::Expression;

mod interface;
mod public;
mod templates;

use public::Allowed;

use crate::mutants::libraries;
use crate::source;

/// Checks licences, sources, reasons and public dependencies, and prints every violation.
///
/// # Errors
/// Fails if cargo cannot be run or a file cannot be read.
pub(crate) fn run(root: &Path) -> anyhow::Result<ExitCode> {
    let read = |name| std::fs::read_to_string(root.join(name)).with_context(|| format!("reading {name}"));
    let rules: Rules = toml::from_str(&read("deny.toml")?).context("reading deny.toml")?;
    // With all features and on all targets, because `Cargo.lock` and the metadata of cargo include
    // dependencies of features that are not enabled.
    let shown = [
        "tree",
        "--workspace",
        "--all-features",
        "--target",
        "all",
        "--prefix",
        "none",
        "--format",
        "{p};{l}",
    ];
    let tree = cargo(root, &shown)?;
    let metadata: Metadata =
        serde_json::from_str(&cargo(root, &["metadata", "--no-deps", "--format-version", "1"])?)
            .context("parsing the output of cargo metadata")?;

    let packages: BTreeSet<_> = tree.lines().filter_map(Package::parse).collect();
    let page = read("docs/dependencies.md")?;
    let found = [
        unlicensed(&packages, &rules),
        foreign(&packages, root),
        unreasoned(&metadata, &page),
        unlisted(&metadata, root, &page)?,
    ]
    .concat();
    for violation in &found {
        println!("{violation}");
    }
    println!("{} packages: licences and sources; direct dependencies: reasons", packages.len());
    println!("{} libraries: public dependencies", libraries().count());
    ensure!(!packages.is_empty(), "cargo tree shows no package");
    Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn cargo(root: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo).current_dir(root).args(arguments).arg("--locked").output();
    let output = output.context("cargo could not be started")?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo {} failed: {error}", arguments.join(" "));
    String::from_utf8(output.stdout).context("the output of cargo is not UTF-8")
}

/// A package in the output of `cargo tree`: its name, its source unless it is crates.io, and its
/// licence.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Package<'a> {
    name: &'a str,
    source: Option<&'a str>,
    license: &'a str,
}

impl<'a> Package<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (package, license) = line.split_once(';')?;
        let (name, rest) = package.split_once(' ')?;
        let source = rest.split_once(" (").map(|(_, source)| source.trim_end_matches(')'));
        let license = license.strip_suffix(" (*)").unwrap_or(license);
        Some(Self { name, source: source.filter(|source| *source != "proc-macro"), license })
    }
}

/// The crates of this workspace.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<WorkspacePackage>,
}

#[derive(Deserialize)]
struct WorkspacePackage {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// The registry; `None` for a crate of this workspace.
    source: Option<String>,
    /// `None` unless it is for tests or build scripts only.
    kind: Option<String>,
    /// The name by which the manifest calls it, if that is another one.
    rename: Option<String>,
}

impl Dependency {
    /// The name by which sources call it.
    fn in_rust(&self) -> String {
        self.rename.as_ref().unwrap_or(&self.name).replace('-', "_")
    }
}

/// The part of `deny.toml` that is checked here.
#[derive(Deserialize)]
struct Rules {
    licenses: Licenses,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
    #[serde(default)]
    exceptions: Vec<Exception>,
}

#[derive(Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    package: String,
    allow: Vec<String>,
}

/// The packages whose licence is not allowed.
fn unlicensed(packages: &BTreeSet<Package<'_>>, rules: &Rules) -> Vec<String> {
    let allowed = |package: &Package<'_>| {
        let licenses = &rules.licenses;
        let exceptions = licenses.exceptions.iter().filter(|exception| exception.package == package.name);
        let allow = exceptions.flat_map(|exception| &exception.allow).chain(&licenses.allow);
        let allow: BTreeSet<_> = allow.map(String::as_str).collect();
        // Older packages write a slash for "or".
        let mode = spdx::ParseMode { allow_slash_as_or_operator: true, ..spdx::ParseMode::STRICT };
        Expression::parse_mode(package.license, mode)
            .is_ok_and(|terms| terms.evaluate(|asked| allow.contains(asked.to_string().as_str())))
    };
    let refused = packages.iter().filter(|package| !allowed(package));
    refused.map(|Package { name, license, .. }| format!("{name}: the licence is {license:?}")).collect()
}

/// The packages that are neither from crates.io nor from this workspace.
fn foreign(packages: &BTreeSet<Package<'_>>, root: &Path) -> Vec<String> {
    let is_foreign =
        |package: &&Package<'_>| package.source.is_some_and(|source| !Path::new(source).starts_with(root));
    packages
        .iter()
        .filter(is_foreign)
        .map(|package| format!("{}: the source is neither crates.io nor this workspace", package.name))
        .collect()
}

/// The direct dependencies of this workspace that `docs/dependencies.md` does not name.
fn unreasoned(metadata: &Metadata, reasons: &str) -> Vec<String> {
    let named = metadata.packages.iter().flat_map(|package| &package.dependencies);
    let named = named.filter(|named| named.source.is_some()).map(|named| named.name.as_str());
    let missing: BTreeSet<_> = named.filter(|name| !reasons.contains(&format!("`{name}`"))).collect();
    missing.into_iter().map(|name| format!("{name}: docs/dependencies.md has no reason for it")).collect()
}

/// The public dependencies of the libraries that differ from the list in `docs/dependencies.md`.
fn unlisted(metadata: &Metadata, root: &Path, page: &str) -> anyhow::Result<Vec<String>> {
    let allowed = Allowed::parse(page);
    let mut found = Vec::new();
    for (library, folder) in libraries() {
        let package = metadata.packages.iter().find(|package| package.name == library);
        let package = package.with_context(|| format!("cargo metadata has no package {library}"))?;
        let dependencies = package.dependencies.iter().filter(|dependency| dependency.kind.is_none());
        let names: BTreeMap<_, _> =
            dependencies.map(|named| (named.in_rust(), named.name.as_str())).collect();
        let modules = source::read(&root.join(folder).join("src/lib.rs"))?;
        let used = interface::crates(&modules, &names.keys().cloned().collect()).into_iter();
        let used = used.filter_map(|(name, path)| Some(((*names.get(&name)?).to_owned(), path))).collect();
        found.extend(allowed.differences(library, &used));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(line: &str) -> bool {
        let rules = "[licenses]\nallow = [\"MIT\", \"Apache-2.0 WITH LLVM-exception\"]\n\
                     [[licenses.exceptions]]\ncrate = \"data\"\nallow = [\"CDLA-Permissive-2.0\"]\n";
        let packages = Package::parse(line).into_iter().collect();
        !unlicensed(&packages, &toml::from_str(rules).unwrap()).is_empty()
    }

    #[test]
    fn a_licence_that_is_not_allowed_is_refused_and_one_of_several_is_enough() {
        assert!(!refused("a v1.0.0;MIT") && !refused("a v1.0.0;MIT OR GPL-3.0-only (*)"));
        assert!(!refused("a v1.0.0 (proc-macro);MIT/Apache-2.0"));
        assert!(!refused("a v1.0.0;Apache-2.0 WITH LLVM-exception"));
        assert!(refused("a v1.0.0;GPL-3.0-only") && refused("a v1.0.0;MIT AND GPL-3.0-only (*)"));
        assert!(refused("a v1.0.0;Apache-2.0") && refused("a v1.0.0;a licence") && refused("a v1.0.0;"));
        assert!(!refused("data v1.0.0;CDLA-Permissive-2.0") && refused("a v1.0.0;CDLA-Permissive-2.0"));
    }

    #[test]
    fn a_package_from_a_repository_another_registry_or_another_folder_is_foreign() {
        let found = |line| {
            let packages = Package::parse(line).into_iter().collect();
            foreign(&packages, Path::new("/here")).len()
        };
        assert_eq!(
            found("a v1.0.0;MIT") + found("a v1.0.0 (proc-macro);MIT") + found("a v1.0.0 (/here/a);MIT"),
            0
        );
        for line in [
            "a v1.0.0 (https://somewhere/a#1234);MIT",
            "a v1.0.0 (registry `b`);MIT",
            "a v1.0.0 (/there/a);MIT",
        ] {
            assert_eq!(found(line), 1, "{line}");
        }
    }

    #[test]
    fn a_dependency_that_a_crate_names_needs_a_reason() {
        let named = |name: &str, source: Option<&str>| Dependency {
            name: name.to_owned(),
            source: source.map(str::to_owned),
            kind: None,
            rename: None,
        };
        let registry = Some("a registry");
        let dependencies = vec![named("known", registry), named("new", registry), named("own", None)];
        let metadata =
            Metadata { packages: vec![WorkspacePackage { name: "this".to_owned(), dependencies }] };
        assert_eq!(unreasoned(&metadata, "| `known` | all | because |").len(), 1);
    }
}
