//! `cargo xtask tree`: checks that `dm-core` has few dependencies.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, ensure};

/// The most crates in the dependency tree of `dm-core`, itself included.
const MOST: usize = 45;

/// Crates that `dm-core` must not depend on: engines, frameworks and the wire format.
const FORBIDDEN: [&str; 12] = [
    "async-nats",
    "axum",
    "dm-proto",
    "fjall",
    "hyper",
    "libsqlite3-sys",
    "prost",
    "redb",
    "rusqlite",
    "serde_json",
    "tokio-postgres",
    "tower",
];

/// Counts the crates in the dependency tree of `dm-core`. Fails if there are too many, or if one is
/// forbidden.
///
/// # Errors
/// Fails if `cargo tree` cannot be run.
pub(crate) fn run(root: &Path) -> anyhow::Result<ExitCode> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(root)
        .args(["tree", "--package", "dm-core", "--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .output()
        .context("cargo tree could not be started")?;
    ensure!(output.status.success(), "cargo tree failed: {}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).context("the output of cargo tree is not UTF-8")?;

    let crates = names(&tree);
    let foreign: Vec<_> = FORBIDDEN.into_iter().filter(|name| crates.contains(name)).collect();
    println!("dm-core and its dependencies: {} crates of at most {MOST}", crates.len());
    for name in &foreign {
        println!("dm-core must not depend on {name}");
    }
    let good = crates.len() <= MOST && foreign.is_empty();
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The distinct crates in the output of `cargo tree` without prefixes.
fn names(tree: &str) -> BTreeSet<&str> {
    tree.lines().filter_map(|line| line.split_whitespace().next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_that_appears_twice_counts_once() {
        let tree = "dm-core v0.1.0 (/somewhere)\nbytes v1.0.0\ntokio v1.0.0\nbytes v1.0.0 (*)\n";
        assert_eq!(names(tree).into_iter().collect::<Vec<_>>(), ["bytes", "dm-core", "tokio"]);
    }
}
