//! Counts tests in the output of test runners.

use std::fmt;

/// The runner whose output is read. Each prints its result in another form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `cargo nextest run`: one `Summary` line at the end, then one `SKIP` line per ignored test.
    Nextest,
    /// `cargo test`: a `test result:` line per test binary, an `... ignored` line per ignored test.
    Libtest,
}

/// The numbers of tests that passed, failed and were skipped, and the names of the skipped ones.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Tests that passed.
    pub(crate) passed: u64,
    /// Tests that failed, timed out or could not be started.
    pub(crate) failed: u64,
    /// Tests that exist and were not run.
    pub(crate) skipped: u64,
    /// The skipped tests that the runner named, with the reason if it gives one.
    pub(crate) skipped_names: Vec<String>,
}

impl Tally {
    /// Reads one line of a runner's output, which may contain colours.
    pub(crate) fn read_line(&mut self, dialect: Dialect, line: &str) {
        let line = without_colours(line);
        let line = line.trim_end();
        match dialect {
            Dialect::Nextest => self.read_nextest(line),
            Dialect::Libtest => self.read_libtest(line),
        }
    }

    /// Adds another run's counts.
    pub(crate) fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.skipped_names.extend(other.skipped_names.iter().cloned());
    }

    /// `Summary [ 0.1s] 9/10 tests run: 6 passed (1 slow, 1 leaky), 1 failed, 1 timed out, 2
    /// skipped`
    fn read_nextest(&mut self, line: &str) {
        let line = line.trim_start();
        if let Some(counts) = line.strip_prefix("Summary [").and_then(|rest| rest.split_once(" run: ")) {
            // The runner prints one summary, at the end. An earlier line that looks like one is the
            // output of a test.
            (self.passed, self.failed, self.skipped) = (0, 0, 0);
            for (count, outcome) in counted(&without_parentheses(counts.1), ',') {
                match outcome {
                    "passed" => self.passed += count,
                    "skipped" => self.skipped += count,
                    _ => self.failed += count,
                }
            }
        } else if let Some((_, name)) = line.strip_prefix("SKIP [").and_then(|rest| rest.split_once(") ")) {
            self.skipped_names.push(name.to_owned());
        }
    }

    /// `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in
    /// 0.05s`
    fn read_libtest(&mut self, line: &str) {
        if let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) {
            for (count, outcome) in counted(counts, ';') {
                match outcome {
                    "passed" => self.passed += count,
                    "failed" => self.failed += count,
                    "ignored" => self.skipped += count,
                    _ => {}
                }
            }
        } else if let Some((name, reason)) =
            line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... ignored"))
        {
            self.skipped_names.push(format!("{name}{reason}"));
        }
    }
}

/// The closing line.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// The parts of `text` of the form `<number> <words>`; other parts are ignored.
fn counted(text: &str, separator: char) -> impl Iterator<Item = (u64, &str)> {
    text.split(separator).filter_map(|part| {
        let (count, outcome) = part.trim().split_once(' ')?;
        Some((count.parse().ok()?, outcome.trim()))
    })
}

fn without_parentheses(text: &str) -> String {
    let mut depth = 0_u32;
    text.chars()
        .filter(|&c| {
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => return depth == 0,
            }
            false
        })
        .collect()
}

/// Removes the escape sequences that set colours: ESC `[` parameters, one letter.
fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            chars.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(c);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(dialect: Dialect, output: &str) -> Tally {
        let mut tally = Tally::default();
        output.lines().for_each(|line| tally.read_line(dialect, line));
        tally
    }

    fn counts(tally: &Tally) -> (u64, u64, u64) {
        (tally.passed, tally.failed, tally.skipped)
    }

    #[test]
    fn nextest_counts_come_from_the_summary_line() {
        let output = "    Starting 4 tests across 2 binaries (2 tests skipped)\n\
            \x20       PASS [   0.005s] (1/4) chat passes\n\
            \x20       FAIL [   0.086s] (4/4) chat::t fails\n\
            ────────────\n\
            \x20    Summary [   0.087s] 4 tests run: 3 passed, 1 failed, 2 skipped\n\
            \x20       SKIP [         ] (───) chat::t needs_a_disk\n\
            \x20       SKIP [         ] (───) chat needs_a_net\n\
            \x20       FAIL [   0.086s] (4/4) chat::t fails\n\
            error: test run failed\n";
        let tally = read(Dialect::Nextest, output);
        assert_eq!(counts(&tally), (3, 1, 2));
        assert_eq!(tally.skipped_names, ["chat::t needs_a_disk", "chat needs_a_net"]);
    }

    #[test]
    fn nextest_details_in_parentheses_are_not_counted_twice() {
        let line = "Summary [   9.0s] 12/14 tests run: 8 passed (1 slow, 2 leaky), 1 failed, 2 timed out (1 slow), \
                    1 exec failed, 0 skipped";
        assert_eq!(counts(&read(Dialect::Nextest, line)), (8, 4, 0));
    }

    #[test]
    fn a_single_test_is_counted() {
        assert_eq!(
            counts(&read(Dialect::Nextest, "     Summary [ 0.1s] 1 test run: 1 passed, 0 skipped")),
            (1, 0, 0)
        );
    }

    #[test]
    fn the_last_nextest_summary_counts() {
        let output = "    Summary [ 0.1s] 90 tests run: 90 passed, 0 skipped\n\
                      Summary [ 0.2s] 1 test run: 0 passed, 1 failed, 0 skipped";
        assert_eq!(counts(&read(Dialect::Nextest, output)), (0, 1, 0));
    }

    #[test]
    fn colours_change_no_count() {
        let line = "\u{1b}[31;1m     Summary\u{1b}[0m [   0.081s] \u{1b}[1m4\u{1b}[0m tests run: \u{1b}[1m3\u{1b}[0m \
                    \u{1b}[32;1mpassed\u{1b}[0m, \u{1b}[1m1\u{1b}[0m \u{1b}[31;1mfailed\u{1b}[0m, \
                    \u{1b}[1m2\u{1b}[0m \u{1b}[33;1mskipped\u{1b}[0m";
        assert_eq!(counts(&read(Dialect::Nextest, line)), (3, 1, 2));
    }

    #[test]
    fn libtest_counts_of_all_binaries_add_up() {
        let output = "running 3 tests\n\
            test ign ... ignored, needs a disk\n\
            test plain ... ignored\n\
            test passes ... ok\n\
            \n\
            test result: ok. 1 passed; 0 failed; 2 ignored; 0 measured; 7 filtered out; finished in 0.00s\n\
            test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.07s\n\
            \n\
            all doctests ran in 0.32s; merged doctests compilation took 0.31s\n";
        let tally = read(Dialect::Libtest, output);
        assert_eq!(counts(&tally), (3, 1, 2));
        assert_eq!(tally.skipped_names, ["ign, needs a disk", "plain"]);
    }

    #[test]
    fn one_runners_words_mean_nothing_in_the_others_output() {
        let libtest =
            "test result: ok. 9 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        let nextest = "Summary [ 0.1s] 9 tests run: 9 passed, 0 skipped";
        assert_eq!(read(Dialect::Nextest, libtest), Tally::default());
        assert_eq!(read(Dialect::Libtest, nextest), Tally::default());
    }

    #[test]
    fn the_closing_line_is_plain() {
        let mut tally = Tally { passed: 3, failed: 1, skipped: 0, skipped_names: Vec::new() };
        tally.add(&Tally { passed: 4, failed: 0, skipped: 1, skipped_names: vec!["slow".to_owned()] });
        assert_eq!(tally.to_string(), "7 passed, 1 failed, 1 skipped");
        assert_eq!(tally.skipped_names, ["slow"]);
    }
}
