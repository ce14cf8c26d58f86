//! Every test that the table of failure cases names exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Collects the names of all functions, and of all cases in the conformance suite's table.
fn names_in(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            names_in(&path, names);
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(&path).unwrap();
            let functions = text.split("fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next());
            names.extend(functions.map(str::to_owned));
        }
    }
}

#[test]
fn every_test_that_the_table_of_cases_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut names = BTreeSet::new();
    names_in(root, &mut names);
    let table = fs::read_to_string(root.join("docs/cases.md")).unwrap();

    let rows: Vec<_> =
        table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| |")).collect();
    assert_eq!(rows.len(), 72, "one row for each case");
    for (row, number) in rows.iter().zip(1..) {
        assert!(row.starts_with(&format!("| {number} |")), "case {number} is missing: {row}");
        let quoted: Vec<_> = row.split('`').skip(1).step_by(2).collect();
        assert!(
            !quoted.is_empty() || row.contains("not yet"),
            "case {number} has neither a test nor a reason"
        );
        for name in quoted {
            let exists = if name.contains('/') { root.join(name).is_file() } else { names.contains(name) };
            // A quoted text that is neither a name nor a path is a command.
            assert!(exists || name.contains(' '), "case {number} names {name}, which does not exist");
        }
    }
}
