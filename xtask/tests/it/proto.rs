//! The checked-in protobuf code is the one that the `.proto` files generate, and `cargo xtask proto
//! --check` finds every difference.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[test]
fn the_checked_in_code_is_current() {
    let output = proto(&["--check"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn a_changed_message_makes_the_code_stale_until_it_is_regenerated() {
    let (_keep, dir) = copy_of_dm_proto();
    let messages = dir.join("proto/dm.proto");
    let changed = fs::read_to_string(&messages).unwrap().replace("bool has_more = 2;", "bool more = 2;");
    fs::write(&messages, changed).unwrap();

    assert_stale(&dir, "dm.v1.rs");
    assert!(proto(&["--dir", dir.to_str().unwrap()]).status.success());
    assert!(proto(&["--check", "--dir", dir.to_str().unwrap()]).status.success());
    assert!(fs::read_to_string(dir.join("src/generated/dm.v1.rs")).unwrap().contains("pub more: bool"));
}

#[test]
fn an_edited_generated_file_is_stale() {
    let (_keep, dir) = copy_of_dm_proto();
    let generated = dir.join("src/generated/dm.v1.rs");
    let edited = fs::read_to_string(&generated).unwrap() + "// an edit\n";
    fs::write(&generated, edited).unwrap();
    assert_stale(&dir, "dm.v1.rs");
}

#[test]
fn a_missing_generated_file_is_stale() {
    let (_keep, dir) = copy_of_dm_proto();
    fs::remove_file(dir.join("src/generated/dm.v1.rs")).unwrap();
    assert_stale(&dir, "dm.v1.rs");
}

#[test]
fn a_file_left_over_is_stale_and_goes() {
    let (_keep, dir) = copy_of_dm_proto();
    let left_over = dir.join("src/generated/dm.v0.rs");
    fs::write(&left_over, "").unwrap();
    assert_stale(&dir, "dm.v0.rs");
    assert!(proto(&["--dir", dir.to_str().unwrap()]).status.success());
    assert!(!left_over.exists());
}

#[test]
fn a_message_that_does_not_compile_is_an_error_and_changes_nothing() {
    let (_keep, dir) = copy_of_dm_proto();
    let generated = dir.join("src/generated/dm.v1.rs");
    let before = fs::read(&generated).unwrap();
    fs::write(dir.join("proto/dm.proto"), "message {").unwrap();

    let output = proto(&["--dir", dir.to_str().unwrap()]);
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("compiling"), "{}", text(&output.stderr));
    assert_eq!(fs::read(&generated).unwrap(), before);
}

fn assert_stale(dir: &Path, file: &str) {
    let output = proto(&["--check", "--dir", dir.to_str().unwrap()]);
    let said = text(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains(file) && said.contains("run `cargo xtask proto`"), "{said}");
}

fn proto(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask")).arg("proto").args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A folder with the crate's `proto` and `src/generated`. It is removed when the first value is
/// dropped.
fn copy_of_dm_proto() -> (tempfile::TempDir, PathBuf) {
    let original = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("dm-proto");
    let temporary = tempfile::tempdir().unwrap();
    let copy = temporary.path().to_owned();
    for folder in ["proto", "src/generated"] {
        fs::create_dir_all(copy.join(folder)).unwrap();
        for file in fs::read_dir(original.join(folder)).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), copy.join(folder).join(file.file_name())).unwrap();
        }
    }
    (temporary, copy)
}
