//! The suite tests the whole contract, as the documentation of `Store` states it.

use std::collections::{BTreeMap, BTreeSet};

use dm_conformance::{CLAUSES, Harness, cases};
use dm_core::store::{MemoryStore, StoreError};

use crate::memory::Memory;

struct Forgetful;

impl Harness for Forgetful {
    type Store = MemoryStore;
    const REOPENS: bool = false;

    async fn fresh() -> Self {
        Self
    }

    async fn open(&self) -> Result<MemoryStore, StoreError> {
        Ok(MemoryStore::new())
    }
}

#[test]
fn clauses_are_quoted_word_by_word() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../dm-core/src/store/mod.rs");
    let clauses = clauses_of(&std::fs::read_to_string(file).unwrap());
    assert_eq!(clauses.len(), CLAUSES.len());
    for clause in CLAUSES {
        assert_eq!(clause.text, clauses.get(&clause.number).unwrap(), "clause {}", clause.number);
    }
}

#[test]
fn every_clause_has_a_case() {
    for clause in CLAUSES {
        let about = cases::<Memory>().iter().filter(|case| case.clause() == Some(&clause)).count();
        assert!(about > 0, "clause {}", clause.number);
    }
}

#[test]
fn there_are_many_cases_and_each_has_a_name_of_its_own() {
    let cases = cases::<Memory>();
    assert!(cases.len() >= 60, "{} cases", cases.len());
    let names: BTreeSet<_> = cases.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), cases.len());
}

/// The numbered clauses in the documentation of a trait, each on one line and without markup.
fn clauses_of(source: &str) -> BTreeMap<u8, String> {
    let contract =
        source.split("/// # Contract").nth(1).unwrap().split("/// # Cancel safety").next().unwrap();
    let mut clauses: BTreeMap<u8, String> = BTreeMap::new();
    let mut current = None;
    for line in contract.lines().map(|line| line.trim_start_matches("///")) {
        let number =
            line.split_once(". ").and_then(|(number, rest)| Some((number.trim().parse().ok()?, rest)));
        match (number, current) {
            (Some((number, text)), _) => {
                current = Some(number);
                clauses.insert(number, plain(text));
            }
            (None, Some(number)) if line.starts_with("    ") => {
                let clause = clauses.get_mut(&number).unwrap();
                clause.push(' ');
                clause.push_str(&plain(line.trim()));
            }
            // A heading, or an empty line.
            (None, _) => current = None,
        }
    }
    clauses
}

/// A line without markup. Links keep their text.
fn plain(line: &str) -> String {
    let mut plain = String::new();
    let mut rest = line;
    while let Some((before, link)) = rest.split_once("](") {
        plain.push_str(before);
        rest = link.split_once(')').unwrap().1;
    }
    plain.push_str(rest);
    plain.replace(['`', '*', '[', ']'], "")
}

/// This is expanded and not run: its ignored tests would be reported as gaps of this workspace.
#[test]
#[allow(unnameable_test_items, reason = "nothing is to be run")]
fn a_suite_without_reopening_can_be_made() {
    dm_conformance::suite!(Forgetful, reopen = "keeps nothing on disk");
}
