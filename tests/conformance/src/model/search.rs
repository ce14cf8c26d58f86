//! A search for a script that a store fails.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::test_runner::{Config, RngAlgorithm, RngSeed, TestCaseError, TestError, TestRunner};
use proptest_state_machine::ReferenceStateMachine;
use tokio::runtime::Handle;

use super::generate::Scripts;
use super::play::play_counted;
use super::{Difference, Script, Step};
use crate::Harness;

/// The extent of a search.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// The number of scripts to play.
    pub cases: u32,
    /// The seed of the scripts.
    pub seed: u64,
}

impl Search {
    /// 256 scripts or `DM_CASES`, with a random seed or `DM_SEED`.
    ///
    /// # Panics
    /// Panics if one of the two variables is not a number.
    #[must_use]
    pub fn from_env() -> Self {
        let number = |name| {
            let value = std::env::var(name).ok()?;
            Some(value.parse::<u64>().unwrap_or_else(|_| panic!("{name} must be a number, not {value}")))
        };
        let cases = number("DM_CASES").unwrap_or(256);
        Self {
            cases: u32::try_from(cases).expect("DM_CASES has 32 bits"),
            seed: number("DM_SEED").unwrap_or_else(|| RandomState::new().hash_one("a seed")),
        }
    }
}

/// A script that a store fails, shrunk.
#[derive(Clone, Debug)]
pub struct Found {
    /// The script.
    pub script: Script,
    /// The first difference between the store and the model.
    pub difference: Difference,
    /// The seed that it was found with.
    pub seed: u64,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.difference)?;
        writeln!(f, "found with DM_SEED={}", self.seed)?;
        writeln!(f, "play it again: DM_REPLAY='\n{}'", self.script)
    }
}

impl std::error::Error for Found {}

/// Plays random scripts, each on a store at a fresh storage location. Blocks the thread, which must
/// not be a worker of the runtime.
///
/// # Errors
/// Fails with a script that the store fails, shrunk.
pub fn search<H: Harness>(runtime: &Handle, search: Search) -> Result<(), Box<Found>> {
    let config = Config {
        cases: search.cases,
        rng_algorithm: RngAlgorithm::ChaCha,
        rng_seed: RngSeed::Fixed(search.seed),
        // A library has no folder for seeds, so they are printed.
        failure_persistence: None,
        max_shrink_iters: 4_096,
        ..Config::default()
    };
    let strategy = Scripts::<H>::sequential_strategy(2..=24_usize);
    let found = TestRunner::new(config).run(&strategy, |(_, steps, seen)| {
        // Shrinking removes the steps first that were never reached.
        let count = || _ = seen.as_ref().map(|seen| seen.fetch_add(1, Ordering::SeqCst));
        let played = runtime.block_on(play_counted::<H>(&steps, count));
        played.map_err(|difference| TestCaseError::fail(difference.to_string()))
    });
    match found {
        Ok(()) => Ok(()),
        Err(TestError::Fail(reason, (_, steps, _))) => {
            let (mut script, mut difference) = (
                Script(steps),
                Difference { step: 0, what: format!("it failed once and not again: {reason}") },
            );
            if let Some(again) = fails::<H>(runtime, &script) {
                difference = again;
                while let Some(shorter) = shorter::<H>(runtime, &script) {
                    (script, difference) = shorter;
                }
            }
            Err(Box::new(Found { script, difference, seed: search.seed }))
        }
        Err(TestError::Abort(reason)) => panic!("no scripts could be made: {reason}"),
    }
}

/// The first difference of a script; a panic counts as one.
fn fails<H: Harness>(runtime: &Handle, script: &Script) -> Option<Difference> {
    let reached = AtomicUsize::new(0);
    let count = || _ = reached.fetch_add(1, Ordering::SeqCst);
    let played = catch_unwind(AssertUnwindSafe(|| runtime.block_on(play_counted::<H>(&script.0, count))));
    played
        .unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
            Err(Difference { step: reached.load(Ordering::SeqCst), what: text.to_owned() })
        })
        .err()
}

/// A script with one step or operation less that still fails. The result of shrinking may have more
/// than it needs.
fn shorter<H: Harness>(runtime: &Handle, script: &Script) -> Option<(Script, Difference)> {
    let mut candidates = Vec::new();
    for (n, step) in script.0.iter().enumerate() {
        let mut without = script.clone();
        without.0.remove(n);
        candidates.push(without);
        let Step::Batch { ops, .. } = step else { continue };
        for op in 0..ops.len() {
            let mut without = script.clone();
            if let Step::Batch { ops, .. } = &mut without.0[n] {
                ops.remove(op);
            }
            candidates.push(without);
        }
    }
    candidates.into_iter().find_map(|script| {
        let difference = fails::<H>(runtime, &script)?;
        Some((script, difference))
    })
}
