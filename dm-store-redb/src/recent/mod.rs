//! [`RecentRows`]: the newest rows of a log, `dm_sequence` or `dm_inbox`. They are in small tables
//! until they are merged into the main table.
//!
//! # Terms
//!
//! - A *log* is a table whose keys consist of an *owner* (a conversation or user) and a number. New
//!   rows of an owner have higher numbers.
//! - The *main table* of a log is its large table, `dm_sequence` or `dm_inbox`.
//! - A *run* (a term of log-structured merge trees) is a small table of new rows, sorted by key:
//!   `dm_inbox_run_0` and so on.
//! - A *generation* is eight runs, which are filled one after the other.
//! - To *merge* is to move rows from runs into the main table, in the order of their keys. The
//!   *growing* generation gets the new rows. The generation before it is the *merging* one.
//!
//! # Why
//!
//! redb copies each page that a batch changes. In a main table, the rows of a batch are on as many
//! pages as there are conversations and users in the batch: 256 messages would copy some 750 pages
//! of the two main tables. In a run, all rows of a batch share a few pages.
//!
//! # How rows are merged
//!
//! Some rows are merged with each batch. The rows of one conversation or user are merged together,
//! because they are neighbours in the order of keys. When the growing generation is full, all rows
//! of the merging generation are merged, and its runs are deleted. The full generation becomes the
//! merging one, and the next row begins a new generation.
//!
//! # How rows are read
//!
//! A reader gets the rows of one conversation or inbox from the main table, then from each run,
//! starting with the oldest. In the runs of the merging generation, the rows that are merged are
//! skipped. The reader gets the rows in the order of their keys, because a row in a newer table has
//! a higher number.
//!
//! # Measurements
//!
//! The table shows messages per second with redb alone: 10,000 conversations among 2,000 users, 256
//! messages per transaction, two cores.
//!
//! | runs of a generation | entries of a run | empty | with a million messages stored |
//! |---|---|---|---|
//! | none | | 19,000 | |
//! | 8 | 8,192 | 50,000 | 33,000 |
//! | 16 | 4,096 | 56,000 | 38,000 |
//! | 1 | 8,192 | 40,000 | 26,000 |
//! | 1 | 32,768 | 33,000 | 27,000 |
//!
//! A generation has 8 runs and not 16, because a reader looks into each run.
//!
//! # Files
//!
//! [`runs`] has the numbers of the existing runs and the progress of merging. [`newest`] keeps the
//! newest number of each owner in runs. [`RecentRows`], below, opens the runs and changes them.
//! [`read`] reads the main table and the runs as one sequence. [`merge`] merges rows.

pub(crate) mod merge;
pub(crate) mod newest;
pub(crate) mod read;
pub(crate) mod runs;

use std::cell::OnceCell;
use std::ops::Bound;

use dm_store_kv::{Failure, owner_and_number};
use redb::WriteTransaction;

use crate::lazy_table::{Guard, LazyTable, RowsBetween, Transaction};
use crate::recent::newest::{NewestNumbers, NewestRow};
use crate::recent::runs::{MergeProgress, RUNS_PER_GENERATION, Runs};

/// A bound above every key of a log.
pub(crate) const END: [u8; 13] = [u8::MAX; 13];

/// The runs of a log.
pub(crate) struct RecentRows<T: Transaction> {
    transaction: T,
    /// The name of the log's main table. The names of the runs begin with it.
    main_name: &'static str,
    pub(crate) runs: Runs,
    /// The tables of the runs, from the oldest.
    pub(crate) run_tables: Vec<LazyTable<T>>,
    /// The number of rows in a full run.
    pub(crate) rows_per_run: u64,
    /// The newest number of each owner in runs. Used in batches only, and unset until the first
    /// number is looked up.
    pub(crate) newest: OnceCell<NewestNumbers>,
}

impl<T: Transaction> RecentRows<T> {
    /// The runs that `runs` describes. Each of their tables is opened at its first use.
    pub(crate) fn new(transaction: T, main_name: &'static str, runs: Runs, rows_per_run: u64) -> Self {
        let run_tables =
            (runs.oldest..runs.end).map(|number| run_table(transaction, main_name, number)).collect();
        Self { transaction, main_name, runs, run_tables, rows_per_run, newest: OnceCell::new() }
    }

    /// The number of runs in the merging generation. They are the first ones of `run_tables`.
    fn merging_count(&self) -> usize {
        usize::try_from(self.runs.first_growing - self.runs.oldest).unwrap_or(usize::MAX)
    }

    /// The lower bound for reading the run with the index `run` from the key `from` to the key `to`
    /// without the rows that are merged. `None` if all rows up to `to` are merged.
    fn lower_bound<'k>(&'k self, run: usize, from: &'k [u8], to: &[u8]) -> Option<Bound<&'k [u8]>> {
        match &self.runs.progress {
            _ if run >= self.merging_count() => Some(Bound::Included(from)),
            MergeProgress::Everything => None,
            MergeProgress::Through(key) if key.as_slice() >= to => None,
            MergeProgress::Through(key) if key.as_slice() >= from => Some(Bound::Excluded(key)),
            MergeProgress::Through(_) => Some(Bound::Included(from)),
        }
    }

    /// The rows of the run with the index `run` between two keys, both included. Rows that are
    /// merged are left out. `None` if all rows up to `to` are merged.
    pub(crate) fn rows_between(
        &self,
        run: usize,
        from: &[u8],
        to: &[u8],
    ) -> Result<Option<RowsBetween<'_>>, Failure> {
        let (Some(table), Some(from)) = (self.run_tables.get(run), self.lower_bound(run, from, to)) else {
            return Ok(None);
        };
        table.rows_between(from, to).map(Some)
    }

    /// The newest number of each owner in runs. The first call reads all rows in runs.
    pub(crate) fn newest(&self) -> Result<&NewestNumbers, Failure> {
        if let Some(newest) = self.newest.get() {
            return Ok(newest);
        }
        let newest = self.read_newest()?;
        Ok(self.newest.get_or_init(|| newest))
    }

    /// Reads the newest numbers from all rows in runs that are not merged.
    fn read_newest(&self) -> Result<NewestNumbers, Failure> {
        let mut newest = NewestNumbers::default();
        for run in 0..self.run_tables.len() {
            let Some(rows) = self.rows_between(run, &[], &END)? else { continue };
            for row in rows {
                let (owner, number) = owner_and_number(&row?.0)?;
                let row = NewestRow { number, run: self.run_number(run) };
                if run < self.merging_count() {
                    newest.insert_merging(owner, row);
                } else {
                    newest.insert_growing(owner, row);
                }
            }
        }
        Ok(newest)
    }

    /// The lowest 32 bits of the number of the run with the index `run`.
    fn run_number(&self, run: usize) -> u32 {
        low_bits(self.runs.oldest.wrapping_add(run as u64))
    }

    /// The value of a row in the run with the number `run`, whose key is `key`; `None` if the run
    /// is deleted, or if the row is merged or removed.
    pub(crate) fn get_from(&self, run: u32, key: &[u8]) -> Result<Option<Guard<'_>>, Failure> {
        let index = run.wrapping_sub(low_bits(self.runs.oldest));
        let Some(mut rows) =
            usize::try_from(index).ok().map(|run| self.rows_between(run, key, key)).transpose()?.flatten()
        else {
            return Ok(None);
        };
        rows.next().map(|row| Ok(row?.1)).transpose()
    }

    /// The value of a key in the runs; `None` if no run has the key, or if the key's row is merged.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Guard<'_>>, Failure> {
        for run in 0..self.run_tables.len() {
            if let Some(mut rows) = self.rows_between(run, key, key)?
                && let Some(row) = rows.next()
            {
                return row.map(|(_, value)| Some(value));
            }
        }
        Ok(None)
    }
}

impl RecentRows<&WriteTransaction> {
    /// Inserts a row into the newest run. Creates a run if there is none in the growing generation,
    /// or if the newest run is full and the generation is not.
    pub(crate) fn insert(&mut self, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        let runs = &mut self.runs;
        let may_grow = runs.end - runs.first_growing < RUNS_PER_GENERATION;
        if runs.end == runs.first_growing || (runs.rows_in_newest_run >= self.rows_per_run && may_grow) {
            self.run_tables.push(run_table(self.transaction, self.main_name, runs.end));
            runs.end += 1;
            runs.rows_in_newest_run = 0;
        }
        runs.rows_in_newest_run += 1;
        runs.rows_since_merge += 1;
        if let Some(newest) = self.newest.get_mut() {
            let (owner, number) = owner_and_number(key)?;
            newest.insert_growing(owner, NewestRow { number, run: low_bits(runs.end.wrapping_sub(1)) });
        }
        // A run exists, because the code above creates one if the growing generation has none.
        let newest_run = self.run_tables.last_mut().ok_or(Failure::Damaged("the newest run is missing"))?;
        newest_run.insert(key, value)
    }

    /// Removes all rows between two keys, both included, except those that are merged.
    pub(crate) fn remove_between(&mut self, from: &[u8], to: &[u8]) -> Result<(), Failure> {
        for run in 0..self.run_tables.len() {
            let Some(from) = self.lower_bound(run, from, to) else { continue };
            let from = from.map(<[u8]>::to_vec);
            if let Some(table) = self.run_tables.get_mut(run) {
                table.remove_between(from.as_ref().map(Vec::as_slice), to)?;
            }
        }
        Ok(())
    }
}

/// The lowest 32 bits of a number.
#[expect(clippy::cast_possible_truncation, reason = "the lowest bits are what is asked for")]
const fn low_bits(number: u64) -> u32 {
    number as u32
}

/// The table of the run with this number.
fn run_table<T: Transaction>(transaction: T, main_name: &str, number: u64) -> LazyTable<T> {
    LazyTable::new(transaction, format!("{main_name}_run_{number}"))
}
