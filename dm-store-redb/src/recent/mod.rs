//! The newest rows of a log, `dm_sequence` or `dm_inbox`: they are in small trees, from which they
//! are moved into the log's large tree in bulk.
//!
//! # Why
//!
//! redb copies each page that a batch changes. In a large tree, the rows of a batch belong to as
//! many pages as there are conversations and users in the batch: 256 messages would copy some 750
//! pages of the logs. So new rows go into a small tree first, a *run* (the term of log-structured
//! merge trees), whose pages all rows of the batch share.
//!
//! # How rows move
//!
//! Eight runs are a *generation*. While one generation grows, the one before it is moved into the
//! large tree in the order of the keys, some rows with each batch. The rows of one conversation or
//! user are then moved together.
//!
//! # How rows are read
//!
//! The rows of one conversation or inbox are those in the large tree, followed by those in each run
//! from the oldest. In the runs of the moving generation, rows up to the last one that was moved
//! are left out. This is the order of the keys, because a log only grows at its end.
//!
//! # Measurements
//!
//! Bare redb with 10,000 conversations among 2,000 people, 256 messages per transaction, on two
//! cores, in messages per second:
//!
//! | runs of a generation | entries of a run | empty | with a million messages stored |
//! |---|---|---|---|
//! | none | | 19,000 | |
//! | 8 | 8,192 | 50,000 | 33,000 |
//! | 16 | 4,096 | 56,000 | 38,000 |
//! | 1 | 8,192 | 40,000 | 26,000 |
//! | 1 | 32,768 | 33,000 | 27,000 |
//!
//! A reader looks into each run, so there are 8 and not 16.
//!
//! # Files
//!
//! [`runs`] is the catalogue of a log's runs, [`newest`] the newest number of each owner of rows in
//! runs. `Recent`, below, opens the runs and changes them. [`read`] reads the runs and the large
//! tree as one sequence, [`merge`] moves rows.

pub(crate) mod merge;
pub(crate) mod newest;
pub(crate) mod read;
pub(crate) mod runs;

use std::cell::OnceCell;
use std::ops::Bound;

use dm_store_kv::{Failure, owner_and_number};
use redb::WriteTransaction;

use crate::recent::newest::NewestNumbers;
use crate::recent::runs::{Moved, RUNS, Runs};
use crate::tree::{Between, Guard, Transaction, Tree};

/// A bound above every key of a log.
pub(crate) const END: [u8; 13] = [u8::MAX; 13];

/// The rows of a log that are in runs.
pub(crate) struct Recent<T: Transaction> {
    transaction: T,
    /// The name of the log's large tree, with which the names of its runs begin.
    name: &'static str,
    pub(crate) runs: Runs,
    /// The trees of the runs, from the oldest.
    pub(crate) trees: Vec<Tree<T>>,
    /// The rows at which a run is full.
    pub(crate) run_rows: u64,
    /// In a batch, the newest number of each owner. Empty until the first one is looked up.
    pub(crate) newest: OnceCell<NewestNumbers>,
}

impl<T: Transaction> Recent<T> {
    pub(crate) fn new(transaction: T, name: &'static str, runs: Runs, run_rows: u64) -> Self {
        let trees = (runs.oldest..runs.end).map(|number| tree(transaction, name, number)).collect();
        Self { transaction, name, runs, trees, run_rows, newest: OnceCell::new() }
    }

    /// The number of trees in the moving generation, which are the first ones.
    fn moving(&self) -> usize {
        usize::try_from(self.runs.growing - self.runs.oldest).unwrap_or(usize::MAX)
    }

    /// The bound at which the rows between two keys begin in a run, by its index. `None` if all of
    /// them are moved.
    fn start<'k>(&'k self, run: usize, from: &'k [u8], to: &[u8]) -> Option<Bound<&'k [u8]>> {
        match &self.runs.moved {
            _ if run >= self.moving() => Some(Bound::Included(from)),
            Moved::All => None,
            Moved::Through(key) if key.as_slice() >= to => None,
            Moved::Through(key) if key.as_slice() >= from => Some(Bound::Excluded(key)),
            Moved::Through(_) => Some(Bound::Included(from)),
        }
    }

    /// The rows between two keys in a run, by its index. `None` if all of them are moved.
    pub(crate) fn between(&self, run: usize, from: &[u8], to: &[u8]) -> Result<Option<Between<'_>>, Failure> {
        let (Some(tree), Some(from)) = (self.trees.get(run), self.start(run, from, to)) else {
            return Ok(None);
        };
        tree.between(from, to).map(Some)
    }

    /// The newest number of each owner of rows in runs. Reads all these rows at the first call.
    pub(crate) fn newest(&self) -> Result<&NewestNumbers, Failure> {
        if let Some(newest) = self.newest.get() {
            return Ok(newest);
        }
        let newest = self.read_newest()?;
        Ok(self.newest.get_or_init(|| newest))
    }

    fn read_newest(&self) -> Result<NewestNumbers, Failure> {
        let mut newest = NewestNumbers::default();
        for run in 0..self.trees.len() {
            let Some(rows) = self.between(run, &[], &END)? else { continue };
            for row in rows {
                let (owner, number) = owner_and_number(&row?.0)?;
                if run < self.moving() {
                    newest.insert_moving(owner, number);
                } else {
                    newest.insert_growing(owner, number);
                }
            }
        }
        Ok(newest)
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Guard<'_>>, Failure> {
        for run in 0..self.trees.len() {
            if let Some(mut rows) = self.between(run, key, key)?
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
        let may_grow = runs.end - runs.growing < RUNS;
        if runs.end == runs.growing || (runs.rows >= self.run_rows && may_grow) {
            self.trees.push(tree(self.transaction, self.name, runs.end));
            runs.end += 1;
            runs.rows = 0;
        }
        runs.rows += 1;
        runs.unmerged += 1;
        if let Some(newest) = self.newest.get_mut() {
            let (owner, number) = owner_and_number(key)?;
            newest.insert_growing(owner, number);
        }
        // The tree was pushed above, or is of an earlier row.
        let newest_run = self.trees.last_mut().ok_or(Failure::Damaged("the newest run is missing"))?;
        newest_run.insert(key, value)
    }

    /// Removes the rows between two keys, both included, that are not moved.
    pub(crate) fn remove_between(&mut self, from: &[u8], to: &[u8]) -> Result<(), Failure> {
        for run in 0..self.trees.len() {
            let Some(from) = self.start(run, from, to) else { continue };
            let from = from.map(<[u8]>::to_vec);
            if let Some(tree) = self.trees.get_mut(run) {
                tree.remove_between(from.as_ref().map(Vec::as_slice), to)?;
            }
        }
        Ok(())
    }
}

fn tree<T: Transaction>(transaction: T, name: &str, number: u64) -> Tree<T> {
    Tree::new(transaction, format!("{name}_run_{number}"))
}
