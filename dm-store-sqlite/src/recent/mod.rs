//! The newest rows of inboxes (`dm_inbox`) and conversations (`dm_sequence`): they are in small
//! trees, from which they are moved into these large trees in bulk.
//!
//! # Why
//!
//! Each inbox and each conversation grows at another key. In the large trees, a message changes
//! three pages that hardly any other message of its batch changes. So new rows go into a small tree
//! first, a *run* (the term of log-structured merge trees), whose pages all rows of a batch share.
//! With 10,000 conversations among 2,000 users and 500,000 messages stored, transactions of 256
//! messages write three to four times as many messages per second in this way, and a fifth as much
//! log.
//!
//! # How rows move
//!
//! The 16 runs of a *generation* are filled one after the other. While one generation grows, the
//! one before it is moved into the large trees in the order of keys, some rows with each batch, so
//! that rows of one inbox or conversation are moved together. When the growing generation is full,
//! the moving one is empty, and the full one is moved next. Generations with even numbers are in
//! tables 0, those with odd numbers in tables 1; the run is the first column of the tables' keys.
//!
//! # How rows are read
//!
//! The rows of one inbox or conversation are those in the large tree, then those in each run of the
//! moving generation that are not moved yet, then those in each run of the growing one. This is the
//! order of their numbers, because rows are written in this order.
//!
//! # Files
//!
//! [`runs`] is the catalogue of the runs. [`read`] reads the runs and the large tree as one
//! sequence. [`newest`] holds the newest numbers of the rows in runs, and [`activity`] the newest
//! messages in them for lists of conversations. [`merge`] moves rows. `Recent`, below, is the
//! writer's state.

pub(crate) mod activity;
pub(crate) mod merge;
pub(crate) mod newest;
pub(crate) mod read;
pub(crate) mod runs;

use std::num::NonZeroUsize;

use rusqlite::Result;

use crate::codec;
use crate::database::Database;
use crate::recent::newest::NewestNumbers;
use crate::recent::runs::{RUNS, Runs};

/// The state of the runs for the writer. Always a copy of the file.
pub(crate) struct Recent {
    pub(crate) runs: Runs,
    /// Entries in the growing generation.
    entries: i64,
    /// Entries since the last move.
    unmerged: i64,
    /// Entries per run.
    run_entries: i64,
    /// `None` until a user or a conversation is looked up that is not in memory.
    newest: Option<NewestNumbers>,
}

impl Recent {
    /// Reads the state, with so many entries to a generation.
    pub(crate) fn read(connection: &Database, entries: NonZeroUsize) -> Result<Self> {
        let run_entries = (codec::count(entries.get()) / RUNS).max(1);
        let runs = Runs::read(connection)?;
        let table = runs.growing();
        let entries: i64 = connection
            .prepare_cached(&format!(
                "SELECT count(*) FROM dm_recent_inbox_{table} WHERE run = (SELECT max(run) FROM dm_recent_inbox_{table})"
            ))?
            .query_row([], |row| row.get(0))?;
        let earlier = (runs.count(table) - 1).max(0) * run_entries;
        Ok(Self { runs, entries: earlier + entries, unmerged: 0, run_entries, newest: None })
    }

    /// The run that gets the next row.
    pub(crate) fn run(&self) -> i64 {
        (self.entries / self.run_entries).min(RUNS - 1)
    }

    /// The number of a user's newest recent entry, which may have expired.
    pub(crate) fn newest_entry(&mut self, connection: &Database, user_ref: i64) -> Result<Option<i64>> {
        Ok(self.newest(connection)?.entry(user_ref))
    }

    /// The number of a conversation's newest recent message.
    pub(crate) fn newest_message(
        &mut self,
        connection: &Database,
        conversation_ref: i64,
    ) -> Result<Option<i64>> {
        Ok(self.newest(connection)?.message(conversation_ref))
    }

    fn newest(&mut self, connection: &Database) -> Result<&NewestNumbers> {
        Ok(match &mut self.newest {
            Some(newest) => newest,
            unknown => unknown.insert(NewestNumbers::read(connection)?),
        })
    }

    /// Notes a message that was written.
    pub(crate) fn insert_message(&mut self, conversation_ref: i64, seq: i64) {
        if let Some(newest) = &mut self.newest {
            newest.insert_message(self.runs.growing(), conversation_ref, seq);
        }
    }

    /// Notes an entry that was written.
    pub(crate) fn insert_entry(&mut self, user_ref: i64, seq: i64) {
        if let Some(newest) = &mut self.newest {
            newest.insert_entry(self.runs.growing(), user_ref, seq);
        }
        self.runs.set_count(self.runs.growing(), self.run() + 1);
        self.entries += 1;
        self.unmerged += 1;
    }
}
