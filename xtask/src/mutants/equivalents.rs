//! The mutants that no test can catch because they behave like the original, each with the reason.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::mutants::mutant::Mutant;

/// The reasons, by the ids of the mutants.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Equivalents(BTreeMap<String, String>);

impl Equivalents {
    /// Reads the list. An id is on a line of its own, and the reason follows on indented lines. `#`
    /// begins a comment.
    ///
    /// # Errors
    /// Fails if the file cannot be read, or if an id has no reason or is listed twice.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("reading {}", path.display()))
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut reasons: BTreeMap<String, String> = BTreeMap::new();
        let mut current: Option<String> = None;
        for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
            if line.starts_with(' ') {
                let id = current.as_ref().context("a reason comes before its mutant")?;
                let reason = reasons.entry(id.clone()).or_default();
                if !reason.is_empty() {
                    reason.push(' ');
                }
                reason.push_str(line.trim());
            } else if reasons.insert(line.to_owned(), String::new()).is_some() {
                bail!("listed twice: {line}");
            } else {
                current = Some(line.to_owned());
            }
        }
        if let Some((id, _)) = reasons.iter().find(|(_, reason)| reason.is_empty()) {
            bail!("no reason is given for {id}");
        }
        Ok(Self(reasons))
    }

    /// The reason why no test can catch a mutant, if it is listed.
    pub(super) fn reason(&self, id: &str) -> Option<&str> {
        self.0.get(id).map(String::as_str)
    }

    /// The entries whose file is in none of the libraries, given by their folders.
    pub(super) fn foreign(&self, folders: &[&str]) -> Vec<&str> {
        let ids = self.0.keys().map(String::as_str);
        ids.filter(|id| !folders.iter().any(|folder| id.starts_with(&sources(folder)))).collect()
    }

    /// The entries whose file is in a library, given by its folder, and which match none of its
    /// mutants.
    pub(super) fn stale(&self, folder: &str, mutants: &[Mutant]) -> Vec<String> {
        let sources = sources(folder);
        let entries = self.0.keys().filter(|id| id.starts_with(&sources));
        entries.filter(|id| !mutants.iter().any(|mutant| &mutant.id == *id)).cloned().collect()
    }
}

fn sources(folder: &str) -> String {
    format!("{folder}/src/")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "# comment\n\na/src/b.rs: replace < with <= in f\n    the bound is\n    never met\n\
                        a/src/b.rs: delete ! in g [2]\n    only speed\nab/src/c.rs: delete ! in h\n    only speed\n";

    #[test]
    fn an_entry_is_an_id_and_the_reason_below_it() {
        let list = Equivalents::parse(LIST).unwrap();
        assert_eq!(list.reason("a/src/b.rs: replace < with <= in f"), Some("the bound is never met"));
        assert_eq!(list.reason("a/src/b.rs: delete ! in g [2]"), Some("only speed"));
        assert_eq!(list.reason("a/src/b.rs: delete ! in g"), None);
    }

    #[test]
    fn an_entry_without_a_reason_or_given_twice_is_refused() {
        let error = |text| Equivalents::parse(text).unwrap_err().to_string();
        assert_eq!(
            error("a/src/b.rs: one\na/src/b.rs: two\n  why\n"),
            "no reason is given for a/src/b.rs: one"
        );
        assert_eq!(
            error("a/src/b.rs: one\n  why\na/src/b.rs: one\n  why\n"),
            "listed twice: a/src/b.rs: one"
        );
        assert_eq!(error("  why\n"), "a reason comes before its mutant");
    }

    #[test]
    fn an_entry_that_matches_no_mutant_of_its_library_is_named() {
        let list = Equivalents::parse(LIST).unwrap();
        let there = Mutant { name: String::new(), id: "a/src/b.rs: delete ! in g [2]".to_owned() };
        assert_eq!(list.stale("a", &[there]), ["a/src/b.rs: replace < with <= in f"]);
        assert_eq!(list.stale("ab", &[]), ["ab/src/c.rs: delete ! in h"]);
        assert_eq!(list.foreign(&["a", "b"]), ["ab/src/c.rs: delete ! in h"]);
    }

    #[test]
    fn the_list_that_is_checked_in_can_be_read() {
        Equivalents::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("equivalent-mutants.txt")).unwrap();
    }
}
