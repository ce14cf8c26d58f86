//! The newest rows of inboxes and conversations, which are in small tables until they are merged
//! into the main tables `dm_inbox` and `dm_sequence`.
//!
//! # Terms
//!
//! - A *main table* is a large table: `dm_inbox` for the entries of inboxes, `dm_sequence` for the
//!   messages of conversations.
//! - A *run* (a term of log-structured merge trees) is a small group of new rows: the rows with one
//!   value in the column `run` of a table `dm_recent_…`. This column is the first one of the
//!   primary key, so each run is sorted by owner (user or conversation) and number.
//! - A *generation* is 16 runs, which are filled one after the other. Generations with even numbers
//!   are in the tables `dm_recent_…_0`, generations with odd numbers in the tables `dm_recent_…_1`.
//! - To *merge* is to move rows from runs into the main table, in the order of their keys. The
//!   *growing* generation gets the new rows. The generation before it is the *merging* one.
//!
//! # Why
//!
//! Each inbox and each conversation grows at its own key. If new rows went into the main tables, a
//! message would change three pages that hardly any other message of its batch changes. In a run,
//! all rows of a batch share a few pages. Measured with 10,000 conversations among 2,000 users and
//! 500,000 messages stored, in transactions of 256 messages: with runs, the store writes three to
//! four times as many messages per second as without, and a fifth as many bytes of write-ahead log.
//!
//! # How rows are merged
//!
//! Some rows are merged with each batch. The rows of one inbox or conversation are merged together,
//! because they are neighbours in the order of keys. When the growing generation is full, all rows
//! of the merging generation are merged. Its rows are then deleted, the full generation becomes the
//! merging one, and the next generation begins.
//!
//! # How rows are read
//!
//! A reader gets the rows of one inbox or conversation from the main table, then from each run of
//! the merging generation (without the rows that are merged), then from each run of the growing
//! generation. This is the order of their numbers, because rows are written in this order.
//!
//! # Files
//!
//! [`runs`] tells which runs exist and how far they are merged. [`read`] reads the main table and
//! the runs as one sequence. [`newest`] keeps the newest numbers of the rows in runs. [`activity`]
//! finds the newest messages in runs for lists of conversations. [`merge`] merges rows.
//! `RecentRows`, below, is the writer's state.

pub(crate) mod activity;
pub(crate) mod merge;
pub(crate) mod newest;
pub(crate) mod read;
pub(crate) mod runs;

use std::num::NonZeroUsize;

use rusqlite::Result;

use crate::codec;
use crate::database::Database;
use crate::recent::newest::{NewestNumbers, TableRun};
use crate::recent::runs::{RUNS, Runs};

/// The writer's state of the runs. It is always equal to the state in the file.
pub(crate) struct RecentRows {
    pub(crate) runs: Runs,
    /// The number of inbox entries in the growing generation.
    growing_entries: i64,
    /// The number of inbox entries written since rows were last merged.
    entries_since_merge: i64,
    /// The number of inbox entries in a full run.
    entries_per_run: i64,
    /// The newest numbers of the rows in runs; `None` until the first look-up of a user or
    /// conversation that is not in memory.
    newest: Option<NewestNumbers>,
}

impl RecentRows {
    /// Reads the state from the file. A generation is full at `entries` inbox entries.
    pub(crate) fn read(connection: &Database, entries: NonZeroUsize) -> Result<Self> {
        let entries_per_run = (codec::usize_to_i64(entries.get()) / RUNS).max(1);
        let runs = Runs::read(connection)?;
        let table = runs.growing_table();
        let entries: i64 = connection
            .prepare_cached(&format!(
                "SELECT count(*) FROM dm_recent_inbox_{table} WHERE run = (SELECT max(run) FROM dm_recent_inbox_{table})"
            ))?
            .query_row([], |row| row.get(0))?;
        // The runs before the last one count as full.
        let earlier = (runs.run_count(table) - 1).max(0) * entries_per_run;
        Ok(Self {
            runs,
            growing_entries: earlier + entries,
            entries_since_merge: 0,
            entries_per_run,
            newest: None,
        })
    }

    /// The number, in the growing generation, of the run that gets the next row. The last run also
    /// gets the rows with which a batch exceeds a full generation.
    pub(crate) fn current_run(&self) -> i64 {
        (self.growing_entries / self.entries_per_run).min(RUNS - 1)
    }

    /// The number of a user's newest entry in runs, which may have expired. `None` if the user has
    /// no entry in runs.
    pub(crate) fn newest_entry(&mut self, connection: &Database, user_ref: i64) -> Result<Option<i64>> {
        Ok(self.newest(connection)?.entry(user_ref))
    }

    /// The number of a conversation's newest message in runs, and the run that holds it. `None` if
    /// the conversation has no message in runs.
    pub(crate) fn newest_message(
        &mut self,
        connection: &Database,
        conversation_ref: i64,
    ) -> Result<Option<(i64, TableRun)>> {
        Ok(self.newest(connection)?.message(conversation_ref))
    }

    /// The newest numbers in the runs. The first call reads all rows in runs.
    fn newest(&mut self, connection: &Database) -> Result<&NewestNumbers> {
        Ok(match &mut self.newest {
            Some(newest) => newest,
            unknown => unknown.insert(NewestNumbers::read(connection)?),
        })
    }

    /// Updates the state after a message was inserted into the current run.
    pub(crate) fn record_message(&mut self, conversation_ref: i64, seq: i64) {
        let run = (self.runs.growing_table(), self.current_run());
        if let Some(newest) = &mut self.newest {
            newest.insert_message(run, conversation_ref, seq);
        }
    }

    /// Updates the state after an inbox entry was inserted into the current run.
    pub(crate) fn record_entry(&mut self, user_ref: i64, seq: i64) {
        if let Some(newest) = &mut self.newest {
            newest.insert_entry(self.runs.growing_table(), user_ref, seq);
        }
        self.runs.set_run_count(self.runs.growing_table(), self.current_run() + 1);
        self.growing_entries += 1;
        self.entries_since_merge += 1;
    }
}
