//! `cargo xtask test` counts the tests in the output of the runners. A script replaces cargo and
//! answers as it does.

use std::process::{Command, Output};

const NEXTEST: &str = "echo '     Summary [   0.1s] 5 tests run: 5 passed (1 slow), 0 skipped' >&2";
const NEXTEST_WITH_A_SKIP: &str = "echo '     Summary [   0.1s] 5 tests run: 5 passed, 1 skipped' >&2
    echo '        SKIP [         ] (───) chat::t needs_a_disk' >&2";
const NEXTEST_WITH_A_FAILURE: &str =
    "echo '     Summary [   0.1s] 5 tests run: 4 passed, 1 failed, 0 skipped' >&2; exit 100";
const COMPILE_ERROR: &str = "echo 'error: could not compile `chat`' >&2; exit 101";
const ABSENT: &str = "absent";
const LIBTEST: &str = "echo 'test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out'";

/// The answer of the script to each call. `absent` is no command, so a call to it fails.
struct Cargo {
    nextest: &'static str,
    tests: &'static str,
    doctests: &'static str,
}

impl Cargo {
    const GOOD: Self = Self { nextest: NEXTEST, tests: ABSENT, doctests: LIBTEST };

    fn xtask_test(&self, ci: bool, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_xtask"))
            .arg("test")
            .args(args)
            .env("CARGO", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/cargo.sh"))
            .env("NEXTEST", self.nextest)
            .env("TESTS", self.tests)
            .env("DOCTESTS", self.doctests)
            .env("CI", ci.to_string())
            .output()
            .unwrap()
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn last_line(output: &Output) -> String {
    stdout(output).lines().last().unwrap().to_owned()
}

#[test]
fn the_last_line_sums_up_all_runners_and_the_generated_code() {
    let output = Cargo::GOOD.xtask_test(true, &[]);
    assert_eq!(last_line(&output), "8 passed, 0 failed, 0 skipped");
    assert!(output.status.success());
}

#[test]
fn without_nextest_cargo_test_runs_the_tests() {
    let output = Cargo { nextest: ABSENT, tests: LIBTEST, ..Cargo::GOOD }.xtask_test(true, &[]);
    assert_eq!(last_line(&output), "5 passed, 0 failed, 0 skipped");
    assert!(stdout(&output).contains("cargo test --workspace --no-fail-fast --all-targets"));
    assert!(output.status.success());
}

#[test]
fn the_output_of_the_runners_is_passed_on() {
    let output = Cargo::GOOD.xtask_test(false, &[]);
    assert!(stdout(&output).contains("\ntest result: ok. 2 passed; 0 failed; 0 ignored;"));
    assert!(String::from_utf8(output.stderr).unwrap().contains("     Summary [   0.1s] 5 tests run"));
}

#[test]
fn a_failed_test_fails_the_run_after_the_rest_has_run() {
    let output = Cargo { nextest: NEXTEST_WITH_A_FAILURE, ..Cargo::GOOD }.xtask_test(false, &[]);
    assert_eq!(last_line(&output), "7 passed, 1 failed, 0 skipped");
    assert!(!output.status.success());
}

#[test]
fn a_crate_that_does_not_compile_fails_the_run() {
    let output = Cargo { nextest: COMPILE_ERROR, ..Cargo::GOOD }.xtask_test(false, &[]);
    assert_eq!(last_line(&output), "3 passed, 1 failed, 0 skipped");
    assert!(!output.status.success());
}

#[test]
fn a_skipped_test_is_named_and_fails_only_ci() {
    let cargo = Cargo { nextest: NEXTEST_WITH_A_SKIP, ..Cargo::GOOD };
    for ci in [false, true] {
        let output = cargo.xtask_test(ci, &[]);
        assert!(stdout(&output).contains("\nnot run: chat::t needs_a_disk: ignored\n"));
        assert_eq!(last_line(&output), "8 passed, 0 failed, 1 skipped");
        assert_eq!(output.status.success(), !ci);
    }
}

#[test]
fn quick_leaves_out_doctests_examples_and_benches_and_says_so() {
    let output = Cargo { doctests: ABSENT, ..Cargo::GOOD }.xtask_test(true, &["--quick"]);
    let said = stdout(&output);
    assert!(said.contains("--lib --bins --tests") && !said.contains("--all-targets"), "{said}");
    assert!(said.contains("left out as asked: doctests, examples, benches\n"), "{said}");
    assert_eq!(last_line(&output), "6 passed, 0 failed, 0 skipped");
    assert!(output.status.success());
}
