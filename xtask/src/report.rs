//! The summary at the end of `cargo xtask test`.

use std::fmt;

use crate::requirements::Requirement;
use crate::tally::Tally;
use crate::test::Step;

/// The steps that ran, those that did not, and the sum of their tests. It is printed at the end.
#[derive(Debug, Default)]
pub(crate) struct Report {
    lines: Vec<String>,
    not_run: Vec<String>,
    pub(crate) total: Tally,
}

impl Report {
    /// Adds a step that ran.
    pub(crate) fn ran(&mut self, step: Step, mut tally: Tally, success: bool) {
        if !success && tally.failed == 0 {
            // The runner failed before it could count, for example because a crate does not
            // compile.
            tally.failed = 1;
        }
        self.lines.push(format!("ran: {step}: {tally}"));
        self.not_run.extend(tally.skipped_names.iter().map(|name| format!("{name}: ignored")));
        self.total.add(&tally);
    }

    /// Adds a part that the caller asked to leave out.
    pub(crate) fn left_out(&mut self, what: &str) {
        self.lines.push(format!("left out as asked: {what}"));
    }

    /// Adds a step that could not run.
    pub(crate) fn not_run(&mut self, step: Step, missing: &Requirement) {
        self.not_run.push(format!("{step}: {missing} is missing"));
        self.total.skipped += 1;
    }

    /// Whether nothing failed and, if `strict`, nothing was skipped.
    pub(crate) fn is_good(&self, strict: bool) -> bool {
        self.total.failed == 0 && !(strict && self.total.skipped > 0)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        for name in &self.not_run {
            writeln!(f, "not run: {name}")?;
        }
        self.total.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requirements;

    fn tally(passed: u64, failed: u64, skipped_names: &[&str]) -> Tally {
        let skipped_names: Vec<_> = skipped_names.iter().map(|&name| name.to_owned()).collect();
        Tally { passed, failed, skipped: skipped_names.len() as u64, skipped_names }
    }

    #[test]
    fn the_report_ends_with_the_sum_of_all_steps() {
        let mut report = Report::default();
        report.ran(Step::Tests, tally(5, 0, &["chat::t needs_a_disk"]), true);
        report.ran(Step::Doctests, tally(2, 0, &[]), true);
        assert_eq!(
            report.to_string(),
            "ran: tests: 5 passed, 0 failed, 1 skipped\n\
             ran: doctests: 2 passed, 0 failed, 0 skipped\n\
             not run: chat::t needs_a_disk: ignored\n\
             7 passed, 0 failed, 1 skipped"
        );
    }

    #[test]
    fn a_step_that_could_not_run_fails_only_a_strict_run() {
        let mut report = Report::default();
        report.ran(Step::Tests, tally(5, 0, &[]), true);
        assert!(report.is_good(true));

        let compiler = &requirements::REQUIREMENTS[0];
        report.not_run(Step::Doctests, compiler);
        assert!(report.is_good(false));
        assert!(!report.is_good(true));
        assert!(
            report.to_string().contains("not run: doctests: C compiler (Debian: gcc libc6-dev) is missing")
        );
    }

    #[test]
    fn a_failed_test_fails_every_run() {
        let mut report = Report::default();
        report.ran(Step::Tests, tally(5, 1, &[]), false);
        assert!(!report.is_good(false));
    }

    #[test]
    fn a_runner_that_fails_without_a_count_counts_as_a_failure() {
        let mut report = Report::default();
        report.ran(Step::Tests, Tally::default(), false);
        assert!(!report.is_good(false));
        assert!(report.to_string().ends_with("0 passed, 1 failed, 0 skipped"));
    }

    #[test]
    fn a_part_left_out_as_asked_fails_no_run() {
        let mut report = Report::default();
        report.ran(Step::Tests, tally(5, 0, &[]), true);
        report.left_out("doctests");
        assert!(report.is_good(true));
        assert!(report.to_string().contains("left out as asked: doctests\n"));
    }
}
