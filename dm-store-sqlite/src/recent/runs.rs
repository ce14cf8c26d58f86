//! [`Runs`], the state of the runs in the file: the runs that exist, the growing generation, and
//! the progress of merging the other generation.
//!
//! A run is a small group of new rows. A generation is 16 runs. Even generations are in the tables
//! `dm_recent_…_0`, odd ones in the tables `dm_recent_…_1`. [`recent`](crate::recent) says why.

use rusqlite::Result;

use crate::database::Database;

/// The number of runs in a full generation.
///
/// Every read searches each run, so more runs make reads slower. More runs make writes faster,
/// because more rows of a conversation are merged together. Messages written per second:
///
/// - With 1.5 million messages stored: 40,000 with 16 runs of 8,192 entries, and 30,000 with 8 such
///   runs.
/// - With 100,000 messages stored: 45,000 with 16 runs, and as many with 8 runs.
///
/// A single run of 65,536 entries reduced the throughput by a third.
pub(crate) const RUNS: i64 = 16;

/// The identity of a run: its generation, and its number in this generation from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RunId {
    pub(crate) generation: i64,
    pub(crate) number: i64,
}

impl RunId {
    /// The index (0 or 1) of the tables that hold the run's generation.
    pub(crate) const fn table(self) -> i64 {
        table(self.generation)
    }
}

/// The index (0 or 1) of the tables that hold a generation.
const fn table(generation: i64) -> i64 {
    generation & 1
}

/// How far the merging generation is merged: the key of the row that was merged last. All rows with
/// a lower key are merged as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MergeProgress {
    /// The `ref` of the user or of the conversation.
    pub(crate) owner_ref: i64,
    /// The number of the entry or of the message.
    pub(crate) seq: i64,
}

impl MergeProgress {
    /// No row is merged.
    pub(crate) const NOTHING: Self = Self { owner_ref: 0, seq: 0 };
    /// All rows are merged.
    pub(crate) const EVERYTHING: Self = Self { owner_ref: i64::MAX, seq: i64::MAX };
}

/// The runs and the progress of merging them, in one snapshot of the database.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Runs {
    /// The number of the growing generation. The merging generation has the number before it.
    pub(crate) generation: i64,
    /// How far inbox entries are merged.
    pub(crate) inbox_progress: MergeProgress,
    /// How far messages of conversations are merged.
    pub(crate) sequence_progress: MergeProgress,
    /// The numbers of runs in the tables with index 0 and in those with index 1. Runs are counted
    /// in the tables of inbox entries only, because a message is in the same run as the first of
    /// its entries.
    run_counts: [i64; 2],
}

impl Runs {
    /// Reads the state from the file.
    pub(crate) fn read(connection: &Database) -> Result<Self> {
        connection
            .prepare_cached(
                "SELECT generation, user, user_seq, conversation, conversation_seq,
                        coalesce((SELECT max(run) FROM dm_recent_inbox_0), -1) + 1,
                        coalesce((SELECT max(run) FROM dm_recent_inbox_1), -1) + 1
                 FROM dm_merge",
            )?
            .query_row([], |row| {
                Ok(Self {
                    generation: row.get(0)?,
                    inbox_progress: MergeProgress { owner_ref: row.get(1)?, seq: row.get(2)? },
                    sequence_progress: MergeProgress { owner_ref: row.get(3)?, seq: row.get(4)? },
                    run_counts: [row.get(5)?, row.get(6)?],
                })
            })
    }

    /// The index (0 or 1) of the tables that hold the growing generation. The merging generation is
    /// in the other tables.
    pub(crate) const fn growing_table(&self) -> i64 {
        table(self.generation)
    }

    /// The number of runs in the tables with index `table` (0 or 1).
    pub(crate) const fn run_count(&self, table: i64) -> i64 {
        let [even, odd] = self.run_counts;
        if table == 0 { even } else { odd }
    }

    /// Sets the number of runs in the tables with index `table` (0 or 1).
    pub(crate) const fn set_run_count(&mut self, table: i64, count: i64) {
        let [even, odd] = &mut self.run_counts;
        *(if table == 0 { even } else { odd }) = count;
    }

    /// The runs of both generations, from the oldest. No run before the last one gets new rows.
    pub(crate) fn run_ids(&self) -> impl Iterator<Item = RunId> {
        let runs = |generation: i64| {
            (0..self.run_count(table(generation))).map(move |number| RunId { generation, number })
        };
        runs(self.generation - 1).chain(runs(self.generation))
    }
}
