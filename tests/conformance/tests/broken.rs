//! Every defect is caught by a case of the clause that it breaks, and every case catches a defect.
//! `DM_BROKEN=all` tries each defect with all cases and prints a table of those that catch it.
//!
//! This is a program of its own because it replaces the panic hook of its process for a while.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::panic;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use dm_conformance::broken::{Kind, Scope, case_names, kinds};

/// The time limit of a case.
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn every_defect_is_caught_by_its_own_clause_and_every_case_catches_one() {
    // Thousands of cases fail here as they should, so their panics are not printed.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let found = examine(kinds());
    let idle = idle(&found);
    panic::set_hook(hook);

    let own = found.iter().filter(|(kind, caught)| caught.contains_key(kind.module)).count();
    // The test runner shows captured output of failing tests only, so this writes past the capture.
    std::io::stdout().write_all(table(&found, own).as_bytes()).unwrap();
    assert_eq!(own, found.len(), "the table has the defects that their own clause did not catch");
    assert!(idle.is_empty(), "these cases catch no defect: {idle:?}");
}

/// The names of the cases that catch a defect, by module.
type CaughtBy = BTreeMap<&'static str, Vec<&'static str>>;

/// Tries all defects.
fn examine(kinds: Vec<Kind>) -> Vec<(Kind, CaughtBy)> {
    let all = std::env::var("DM_BROKEN").is_ok_and(|scope| scope == "all");
    let examined = if all { Scope::AllModules } else { Scope::OwnModule };
    on_all_cores(kinds, |kind| (kind, kind.caught_by(examined)))
}

/// The cases that catch no defect of any clause.
fn idle(found: &[(Kind, CaughtBy)]) -> Vec<String> {
    let catches = |case: &(&str, &str)| {
        found.iter().any(|(_, caught)| caught.get(case.0).is_some_and(|cases| cases.contains(&case.1)))
    };
    let untold: Vec<_> = case_names().into_iter().filter(|case| !catches(case)).collect();
    let tried = on_all_cores(untold, |(module, name)| {
        // The defects of the case's own module were tried already.
        let mut others = found.iter().map(|(kind, _)| kind).filter(|kind| kind.module != module);
        (!others.any(|kind| !kind.passes(name, LIMIT))).then(|| format!("{module}::{name}"))
    });
    tried.into_iter().flatten().collect()
}

/// Calls a function for each item, on as many threads as there are cores. Returns the results in
/// order.
fn on_all_cores<T: Copy + Send, R: Send>(things: Vec<T>, become_of: impl Fn(T) -> R + Sync) -> Vec<R> {
    let left = Mutex::new(things.into_iter().enumerate());
    let found = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some((n, thing)) = { left.lock().unwrap().next() } {
                    let result = become_of(thing);
                    found.lock().unwrap().insert(n, result);
                }
            });
        }
    });
    found.into_inner().unwrap().into_values().collect()
}

fn table(found: &[(Kind, CaughtBy)], own: usize) -> String {
    let mut table = String::from("\ndefect | claimed clause | caught by (modules, number of cases)\n");
    for (kind, caught) in found {
        let by: Vec<_> = caught.iter().map(|(module, cases)| format!("{module} {}", cases.len())).collect();
        writeln!(table, "{} | {} | {}", kind.name, kind.module, by.join(", ")).unwrap();
    }
    writeln!(table, "{} defects, {own} caught by their own clause", found.len()).unwrap();
    table
}
