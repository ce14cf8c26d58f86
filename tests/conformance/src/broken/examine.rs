//! Which cases catch a defect.

use std::collections::BTreeMap;
use std::time::Duration;

use dm_core::store::{MemoryStore, Store};

use super::chosen::CHOSEN;
use super::defect::Kind;
use super::store::{Broken, Place};
use super::{caps, commits, corners, deliveries, endless, pages, plain, writes};
use crate::cases;

/// The module of the case that takes minutes to shrink what it finds.
const MODEL: &str = "model";

/// Which cases examine a defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of the module that must catch it.
    OwnModule,
    /// All.
    AllModules,
}

/// All kinds of defects.
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
    ]
    .concat()
}

/// The module and the name of each case, but the model's.
#[must_use]
pub fn case_names() -> Vec<(&'static str, &'static str)> {
    let cases = cases::<Place>();
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

    /// Whether a store with this defect passes the case of a name.
    ///
    /// # Panics
    /// When there is no such case.
    #[must_use]
    pub fn passes(&self, name: &str, limit: Duration) -> bool {
        let before = CHOSEN.replace(Some(self.make));
        let cases = cases::<Place>();
        let case = cases.iter().find(|case| case.name == name);
        let passes = case.expect("a case of the suite").passes_within(limit);
        CHOSEN.set(before);
        passes
    }

    /// Runs cases against a store with this defect, those of its own module or of all: the names of
    /// those that fail, by their modules. The model is not asked.
    #[must_use]
    pub fn caught_by(&self, scope: Scope) -> BTreeMap<&'static str, Vec<&'static str>> {
        let before = CHOSEN.replace(Some(self.make));
        let mut caught = BTreeMap::<_, Vec<_>>::new();
        for case in cases::<Place>() {
            let examines = scope == Scope::AllModules || case.module == self.module;
            if examines && case.module != MODEL && !case.passes() {
                caught.entry(case.module).or_default().push(case.name);
            }
        }
        CHOSEN.set(before);
        caught
    }
}
