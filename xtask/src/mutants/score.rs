//! The score of a library.

use std::fmt;
use std::time::Instant;

use crate::mutants::trial::Outcomes;
use crate::stamp::Stamp;

/// The outcomes of a library's mutants.
#[derive(Debug)]
pub(super) struct Score {
    library: &'static str,
    /// The number of mutants that the library has.
    of: usize,
    caught: usize,
    timeout: Vec<String>,
    missed: Vec<String>,
    unviable: usize,
    /// The chosen mutants that no test can catch, each with its reason. They were not tried.
    pub(super) equivalent: Vec<(String, String)>,
    /// The entries of the list of equivalents that match no mutant.
    pub(super) stale: Vec<String>,
    began: Instant,
}

impl Score {
    pub(super) fn new(library: &'static str, of: usize) -> Self {
        Self {
            library,
            of,
            caught: 0,
            timeout: Vec::new(),
            missed: Vec::new(),
            unviable: 0,
            equivalent: Vec::new(),
            stale: Vec::new(),
            began: Instant::now(),
        }
    }

    /// Adds the outcomes of a group of tests. It ran on the mutants that the earlier groups missed.
    pub(super) fn add(&mut self, outcomes: Outcomes) {
        self.caught += outcomes.caught.len();
        self.unviable += outcomes.unviable.len();
        self.timeout.extend(outcomes.timeout);
        self.missed = outcomes.missed;
    }

    /// The share of the mutants that compile which a test caught, in percent. A test that does not
    /// end counts as well.
    pub(super) fn share(&self) -> f64 {
        share(self.noticed(), self.missed.len())
    }

    /// The row of the library in the table.
    pub(super) fn row(&self, seed: u64, stamp: &Stamp) -> Vec<String> {
        vec![
            self.caught.to_string(),
            self.timeout.len().to_string(),
            self.missed.len().to_string(),
            format!("{:.1} %", self.share()),
            self.unviable.to_string(),
            self.equivalent.len().to_string(),
            self.of.to_string(),
            seed.to_string(),
            format!("{:.0}", self.began.elapsed().as_secs_f64() / 60.0),
            stamp.day.clone(),
            stamp.commit.clone(),
        ]
    }

    fn noticed(&self) -> usize {
        self.caught + self.timeout.len()
    }
}

/// One line for all libraries of a run.
pub(super) fn sum(scores: &[Score]) -> String {
    let noticed = scores.iter().map(Score::noticed).sum();
    let missed = scores.iter().map(|score| score.missed.len()).sum();
    let equivalent: usize = scores.iter().map(|score| score.equivalent.len()).sum();
    format!(
        "mutants of {} crates: {noticed} noticed, {missed} missed ({:.1} %), {equivalent} equivalent",
        scores.len(),
        share(noticed, missed)
    )
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand mutants at most")]
fn share(noticed: usize, missed: usize) -> f64 {
    match noticed + missed {
        0 => 100.0,
        tried => 100.0 * noticed as f64 / tried as f64,
    }
}

/// The counts of a library, and all mutants and entries that need attention.
impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: {} caught, {} timeouts, {} missed ({:.1} %), {} unviable, {} equivalent, of {} in all",
            self.library,
            self.caught,
            self.timeout.len(),
            self.missed.len(),
            self.share(),
            self.unviable,
            self.equivalent.len(),
            self.of
        )?;
        for mutant in &self.missed {
            writeln!(f, "  missed: {mutant}")?;
        }
        for mutant in &self.timeout {
            writeln!(f, "  did not end: {mutant}")?;
        }
        for (mutant, reason) in &self.equivalent {
            writeln!(f, "  equivalent: {mutant} ({reason})")?;
        }
        for entry in &self.stale {
            writeln!(f, "  listed as equivalent and matches nothing: {entry}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(number: usize) -> Vec<String> {
        (0..number).map(|name| format!("mutant {name}")).collect()
    }

    #[test]
    fn the_next_tests_take_away_from_what_the_ones_before_missed() {
        let mut score = Score::new("dm-core", 900);
        score.add(Outcomes { caught: names(80), timeout: names(1), missed: names(12), unviable: names(7) });
        score.add(Outcomes { caught: names(8), timeout: names(1), missed: names(3), unviable: names(0) });
        assert_eq!(score.row(0, &Stamp::now(".".as_ref()))[..5], ["88", "2", "3", "96.8 %", "7"]);
        assert_eq!(sum(&[score]), "mutants of 1 crates: 90 noticed, 3 missed (96.8 %), 0 equivalent");
    }

    #[test]
    fn missed_mutants_and_wrong_entries_are_named() {
        let mut score = Score::new("dm-core", 900);
        score.add(Outcomes { missed: vec!["a/src/b.rs:1:2: change".to_owned()], ..Outcomes::default() });
        score.stale.push("a/src/b.rs: old".to_owned());
        score.equivalent.push(("a/src/b.rs: other".to_owned(), "only speed".to_owned()));
        let said = score.to_string();
        assert!(said.contains("  missed: a/src/b.rs:1:2: change\n"), "{said}");
        assert!(said.contains("  listed as equivalent and matches nothing: a/src/b.rs: old\n"), "{said}");
        assert!(said.contains("  equivalent: a/src/b.rs: other (only speed)\n"), "{said}");
    }

    #[test]
    fn nothing_tried_is_no_failure() {
        assert!(Score::new("dm-core", 0).share() > 99.0);
    }
}
