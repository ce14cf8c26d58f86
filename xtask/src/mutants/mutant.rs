//! The mutants of a library, and the choice among them.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::cargo_tool::MUTANTS;

/// A change to the sources that `cargo-mutants` can make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mutant {
    /// Its name in `cargo-mutants`: file, line, column and change.
    pub(super) name: String,
    /// File and change, without line and column, which other changes to the file would move. If the
    /// same text occurs twice in a file, the second id ends with ` [2]`.
    pub(super) id: String,
}

/// The mutants of a library, in the order of files and lines.
///
/// # Errors
/// Fails if the tool cannot be built or started, or if its output is unexpected.
pub(super) fn list(root: &Path, tree: &Path, library: &str) -> anyhow::Result<Vec<Mutant>> {
    let mut list = MUTANTS.command(root, tree)?;
    let output = list.args(["--list", "--json", "--package", library]).output().context("cargo mutants")?;
    ensure!(output.status.success(), "cargo mutants --list: {}", String::from_utf8_lossy(&output.stderr));
    let listed: Value =
        serde_json::from_slice(&output.stdout).context("parsing the output of cargo mutants --list")?;
    let listed = listed.as_array().context("the output of cargo mutants --list is not a list")?;
    let names = listed.iter().map(|mutant| mutant["name"].as_str().context("a mutant without a name"));
    Ok(identified(names.collect::<anyhow::Result<_>>()?))
}

/// Gives each name an id.
fn identified(names: Vec<&str>) -> Vec<Mutant> {
    let mut seen = HashMap::new();
    let mutants = names.into_iter().map(|name| {
        let mut id = without_place(name);
        let times = seen.entry(id.clone()).or_insert(0_u32);
        *times += 1;
        if *times > 1 {
            id.push_str(&format!(" [{times}]"));
        }
        Mutant { name: name.to_owned(), id }
    });
    mutants.collect()
}

/// `file: change` from `file:line:column: change`.
fn without_place(name: &str) -> String {
    let Some((place, change)) = name.split_once(": ") else { return name.to_owned() };
    let file = place.split(':').next().unwrap_or(place);
    format!("{file}: {change}")
}

/// At most `number` of the mutants. The rank of a mutant depends only on its id and the seed, so
/// most of the choice stays the same when the sources change.
pub(super) fn choose(all: &[Mutant], number: usize, seed: u64) -> Vec<&Mutant> {
    let mut chosen: Vec<_> = all.iter().collect();
    chosen.sort_by_key(|mutant| xxh3_64_with_seed(mutant.id.as_bytes(), seed));
    chosen.truncate(number);
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(number: usize) -> Vec<Mutant> {
        let names: Vec<_> = (0..number).map(|line| format!("a/src/b.rs:{line}:9: change {line}")).collect();
        identified(names.iter().map(String::as_str).collect())
    }

    #[test]
    fn a_seed_chooses_the_same_mutants_again_and_another_seed_chooses_others() {
        let all = some(1_000);
        let chosen = choose(&all, 100, 7);
        assert_eq!(chosen.len(), 100);
        assert_eq!(chosen, choose(&all, 100, 7));
        assert_ne!(chosen, choose(&all, 100, 8));
    }

    #[test]
    fn the_choice_survives_lines_that_move_and_mutants_that_go() {
        let all = some(1_000);
        let chosen = choose(&all, 100, 7);
        let mut moved = all.clone();
        moved.retain(|mutant| mutant.id != chosen[3].id);
        for mutant in &mut moved {
            mutant.name = mutant.name.replace(":9:", ":13:");
        }
        let ids = |chosen: &[&Mutant]| chosen.iter().map(|mutant| mutant.id.clone()).collect::<Vec<_>>();
        let (before, after) = (ids(&chosen), ids(&choose(&moved, 100, 7)));
        assert_eq!(before.iter().filter(|id| !after.contains(id)).collect::<Vec<_>>(), [&chosen[3].id]);
    }

    #[test]
    fn fewer_mutants_than_asked_for_are_all_of_them() {
        assert_eq!(choose(&some(5), 100, 0).len(), 5);
    }

    #[test]
    fn changes_of_the_same_text_in_a_file_are_told_apart() {
        let mutants = identified(vec![
            "a/src/b.rs:3:9: replace < with <= in f",
            "a/src/b.rs:4:9: replace < with <= in f",
            "a/src/c.rs:4:9: replace < with <= in f",
        ]);
        let ids: Vec<_> = mutants.iter().map(|mutant| mutant.id.as_str()).collect();
        assert_eq!(
            ids,
            [
                "a/src/b.rs: replace < with <= in f",
                "a/src/b.rs: replace < with <= in f [2]",
                "a/src/c.rs: replace < with <= in f",
            ]
        );
    }
}
