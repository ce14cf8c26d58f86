//! The newest rows of a log, which are in runs.

pub(crate) mod last;
pub(crate) mod merge;
pub(crate) mod newest;
pub(crate) mod read;
pub(crate) mod runs;

use std::cell::OnceCell;
use std::ops::Bound;

use dm_store_kv::{Failure, owner_and_number};
use redb::WriteTransaction;

use crate::recent::newest::Numbers;
use crate::recent::runs::{Moved, RUNS, Runs};
use crate::tree::{Between, Guard, Transaction, Tree};

/// Above every key of a log.
pub(crate) const END: [u8; 13] = [u8::MAX; 13];

/// The rows that are in runs.
pub(crate) struct Recent<T: Transaction> {
    transaction: T,
    name: &'static str,
    pub(crate) runs: Runs,
    /// The runs, from the oldest.
    pub(crate) trees: Vec<Tree<T>>,
    /// Rows that a run is to have.
    pub(crate) run: u64,
    /// In a batch: unknown until somebody is looked for.
    pub(crate) numbers: OnceCell<Numbers>,
}

impl<T: Transaction> Recent<T> {
    pub(crate) fn new(transaction: T, name: &'static str, runs: Runs, run: u64) -> Self {
        let trees = (runs.oldest..runs.end).map(|number| tree(transaction, name, number)).collect();
        Self { transaction, name, runs, trees, run, numbers: OnceCell::new() }
    }

    /// How many of the trees are of the moving generation.
    pub(crate) fn moving(&self) -> usize {
        usize::try_from(self.runs.growing - self.runs.oldest).unwrap_or(usize::MAX)
    }

    /// Where rows between two keys begin in the tree at a place; `None` if that has none of them.
    fn from<'k>(&'k self, place: usize, from: &'k [u8], to: &[u8]) -> Option<Bound<&'k [u8]>> {
        match &self.runs.moved {
            _ if place >= self.moving() => Some(Bound::Included(from)),
            Moved::All => None,
            Moved::Through(key) if key.as_slice() >= to => None,
            Moved::Through(key) if key.as_slice() >= from => Some(Bound::Excluded(key)),
            Moved::Through(_) => Some(Bound::Included(from)),
        }
    }

    pub(crate) fn between(
        &self,
        place: usize,
        from: &[u8],
        to: &[u8],
    ) -> Result<Option<Between<'_>>, Failure> {
        let (Some(tree), Some(from)) = (self.trees.get(place), self.from(place, from, to)) else {
            return Ok(None);
        };
        tree.between(from, to).map(Some)
    }

    /// The newest numbers of those who have rows in runs.
    pub(crate) fn numbers(&self) -> Result<&Numbers, Failure> {
        if let Some(numbers) = self.numbers.get() {
            return Ok(numbers);
        }
        let numbers = self.read_numbers()?;
        Ok(self.numbers.get_or_init(|| numbers))
    }

    /// The same, from all rows in runs.
    fn read_numbers(&self) -> Result<Numbers, Failure> {
        let mut numbers = Numbers::default();
        for place in 0..self.trees.len() {
            let Some(rows) = self.between(place, &[], &END)? else { continue };
            for row in rows {
                let (owner, number) = owner_and_number(&row?.0)?;
                numbers.take_in(place < self.moving(), owner, number);
            }
        }
        Ok(numbers)
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Guard<'_>>, Failure> {
        for place in 0..self.trees.len() {
            if let Some(mut rows) = self.between(place, key, key)?
                && let Some(row) = rows.next()
            {
                return row.map(|(_, value)| Some(value));
            }
        }
        Ok(None)
    }
}

impl Recent<&WriteTransaction> {
    pub(crate) fn insert(&mut self, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        let runs = &mut self.runs;
        let has_room = runs.end - runs.growing < RUNS;
        if runs.end == runs.growing || (runs.rows >= self.run && has_room) {
            self.trees.push(tree(self.transaction, self.name, runs.end));
            runs.end += 1;
            runs.rows = 0;
        }
        runs.rows += 1;
        runs.unsettled += 1;
        if let Some(numbers) = self.numbers.get_mut() {
            numbers.insert(key)?;
        }
        // The tree was pushed a line above, or is of an earlier row.
        self.trees.last_mut().ok_or(Failure::Damaged("a run that is not there"))?.insert(key, value)
    }

    pub(crate) fn remove_between(&mut self, from: &[u8], to: &[u8]) -> Result<(), Failure> {
        for place in 0..self.trees.len() {
            let Some(from) = self.from(place, from, to) else { continue };
            let from = from.map(<[u8]>::to_vec);
            if let Some(tree) = self.trees.get_mut(place) {
                tree.remove_between(from.as_ref().map(Vec::as_slice), to)?;
            }
        }
        Ok(())
    }
}

fn tree<T: Transaction>(transaction: T, name: &str, number: u64) -> Tree<T> {
    Tree::new(transaction, format!("{name}_run_{number}"))
}
