//! Every defect is caught by a case of the clause that it breaks. `DM_BROKEN=all` examines each
//! with all cases, for a table of everything that catches it.
//!
//! A program of its own: it silences the panics of its process for a while.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::panic;
use std::sync::Mutex;
use std::thread;

use dm_conformance::broken::{Kind, Scope, kinds};

#[test]
fn every_defect_is_caught_by_its_own_clause() {
    // Thousands of cases fail here as they should: their panics say nothing to anybody.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let found = examine(kinds());
    panic::set_hook(hook);

    let own = found.iter().filter(|(kind, caught)| caught.contains_key(kind.module)).count();
    // Past the capture of output, which would show it for a failing test only.
    std::io::stdout().write_all(table(&found, own).as_bytes()).unwrap();
    assert_eq!(own, found.len(), "see the table for the defects that their own clause did not catch");
}

/// Examines on as many threads as there are cores.
fn examine(kinds: Vec<Kind>) -> Vec<(Kind, BTreeMap<&'static str, usize>)> {
    let all = std::env::var("DM_BROKEN").is_ok_and(|scope| scope == "all");
    let examined = if all { Scope::AllModules } else { Scope::OwnModule };
    let left = Mutex::new(kinds.into_iter().enumerate());
    let found = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some((n, kind)) = { left.lock().unwrap().next() } {
                    let caught = kind.caught_by(examined);
                    found.lock().unwrap().insert(n, (kind, caught));
                }
            });
        }
    });
    found.into_inner().unwrap().into_values().collect()
}

fn table(found: &[(Kind, BTreeMap<&'static str, usize>)], own: usize) -> String {
    let mut table = String::from("\ndefect | claimed clause | caught by (modules, number of cases)\n");
    for (kind, caught) in found {
        let by: Vec<_> = caught.iter().map(|(module, cases)| format!("{module} {cases}")).collect();
        writeln!(table, "{} | {} | {}", kind.name, kind.module, by.join(", ")).unwrap();
    }
    writeln!(table, "{} defects, {own} caught by their own clause", found.len()).unwrap();
    table
}
