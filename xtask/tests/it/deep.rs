//! `cargo xtask deep` keeps a row for each step. A script replaces cargo and answers as it does.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// The histories fail, and all other tests pass.
const NEXTEST: &str = r#"case "$*" in
    *histories*) echo '     Summary [   0.1s] 5 tests run: 4 passed, 1 failed, 0 skipped' >&2; exit 100 ;;
    *) echo '     Summary [   0.1s] 5 tests run: 5 passed, 2 skipped' >&2 ;;
esac"#;

fn xtask_deep(args: &[&str], out: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("deep")
        .args(args)
        .arg("--out")
        .arg(out)
        .env("CARGO", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/cargo.sh"))
        .env("NEXTEST", NEXTEST)
        .env("DM_CASES", "3")
        .output()
        .unwrap()
}

#[test]
fn a_step_that_fails_is_said_and_the_next_ones_run_and_others_keep_their_rows() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("deep.md");
    let kept = "| crash | passed | stores | `DM_CRASH_TRIALS=400` | 7 passed | 240 | 2024-12-31 | abc |";
    fs::write(&out, kept).unwrap();
    let output = xtask_deep(&["histories", "scripts"], &out);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success());
    assert!(said.ends_with("failed: histories\n"), "{said}");
    assert!(said.contains("cargo nextest run --workspace"), "its output goes through: {said}");

    let page = fs::read_to_string(&out).unwrap();
    let row = |name: &str| page.lines().find(|line| line.starts_with(&format!("| {name} |"))).unwrap();
    assert!(row("histories").contains("**failed**") && row("histories").contains("4 passed, 1 failed"));
    assert!(row("scripts").contains("| passed |") && row("scripts").contains("5 passed, 2 skipped"));
    assert!(row("scripts").contains("`DM_CASES=3`"), "the environment changes a number: {page}");
    assert_eq!(row("crash"), kept);
    assert!(row("host-kills").starts_with("| host-kills | not run |"), "{page}");
}

#[test]
fn a_step_that_is_not_known_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("deep.md");
    assert!(!xtask_deep(&["crash", "everything"], &out).status.success());
    assert!(!out.exists());
}
