//! Runs cases against a store with a defect, to find those that catch it.

use std::collections::BTreeMap;
use std::time::Duration;

use dm_core::store::{MemoryStore, Store};

use super::chosen::CHOSEN;
use super::defect::Kind;
use super::store::{Broken, BrokenHarness};
use super::{
    caps, commits, conditions, corners, deliveries, endless, gates, numbers, pages, plain, posts, proofs,
    records, scans, writes,
};
use crate::cases;

/// The module whose case takes minutes to shrink a script. It is left out.
const MODEL: &str = "model";

/// The cases that examine a defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The cases of the module that must catch it.
    OwnModule,
    /// The cases of all modules.
    AllModules,
}

/// All defects, except the [silent](silent) ones.
#[must_use]
pub fn kinds() -> Vec<Kind> {
    [
        commits::KINDS,
        writes::KINDS,
        deliveries::KINDS,
        pages::KINDS,
        caps::KINDS,
        corners::KINDS,
        plain::KINDS,
        endless::KINDS,
        conditions::KINDS,
        gates::KINDS,
        records::KINDS,
        posts::KINDS,
        numbers::KINDS,
        proofs::KINDS,
        scans::KINDS,
    ]
    .concat()
}

/// The module and name of each case, except those of the model.
#[must_use]
pub fn case_names() -> Vec<(&'static str, &'static str)> {
    let cases = cases::<BrokenHarness>();
    cases.iter().filter(|case| case.module != MODEL).map(|case| (case.module, case.name)).collect()
}

/// Defects that no case catches before its time limit.
#[must_use]
pub const fn silent() -> &'static [Kind] {
    endless::SILENT
}

impl Kind {
    /// A store with this defect.
    #[must_use]
    pub fn store(&self) -> impl Store {
        Broken { store: MemoryStore::new(), defect: (self.make)() }
    }

    /// Whether a store with this defect passes the case with this name.
    ///
    /// # Panics
    /// Panics if there is no such case.
    #[must_use]
    pub fn passes(&self, name: &str, limit: Duration) -> bool {
        let before = CHOSEN.replace(Some(self.make));
        let cases = cases::<BrokenHarness>();
        let case = cases.iter().find(|case| case.name == name);
        let passes = case.expect("a case of the suite").passes_within(limit);
        CHOSEN.set(before);
        passes
    }

    /// Runs cases against a store with this defect. Returns the names of the cases that fail, by
    /// module. The cases of the model are left out.
    #[must_use]
    pub fn caught_by(&self, scope: Scope) -> BTreeMap<&'static str, Vec<&'static str>> {
        let before = CHOSEN.replace(Some(self.make));
        let mut caught = BTreeMap::<_, Vec<_>>::new();
        for case in cases::<BrokenHarness>() {
            let examines = scope == Scope::AllModules || case.module == self.module;
            if examines && case.module != MODEL && !case.passes() {
                caught.entry(case.module).or_default().push(case.name);
            }
        }
        CHOSEN.set(before);
        caught
    }
}
