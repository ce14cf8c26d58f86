//! The catalogue of the runs: which exist, which generation grows, and how far the other is moved.

use rusqlite::Result;

use crate::database::Database;

/// Runs of a generation. Every read looks into each of them. With 1.5 million messages stored, 16
/// runs of 8,192 entries write 40,000 messages per second and 8 of them 30,000, because fewer rows
/// of a conversation are moved together. With 100,000 messages stored both write 45,000. A single
/// run of 65,536 entries took a third off the throughput.
pub(crate) const RUNS: i64 = 16;

/// The identity of a run: its generation, and its number in that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RunId {
    pub(crate) generation: i64,
    pub(crate) number: i64,
}

impl RunId {
    /// The table (0 or 1) of the run's generation.
    pub(crate) const fn table(self) -> i64 {
        table(self.generation)
    }
}

const fn table(generation: i64) -> i64 {
    generation & 1
}

/// The last row of the moving generation that was moved, in the order of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    /// The row of the user or of the conversation.
    pub(crate) key: i64,
    /// The number of the entry or of the message.
    pub(crate) seq: i64,
}

impl Position {
    /// Nothing is moved.
    pub(crate) const START: Self = Self { key: 0, seq: 0 };
    /// Everything is moved.
    pub(crate) const END: Self = Self { key: i64::MAX, seq: i64::MAX };
}

/// The runs and how far they are moved, in one state of the database.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Runs {
    /// The number of the growing generation. The moving generation is the one before it.
    pub(crate) generation: i64,
    /// Inbox rows of the moving generation are moved up to here.
    pub(crate) inbox_moved: Position,
    /// Conversation rows of the moving generation are moved up to here.
    pub(crate) sequence_moved: Position,
    /// The number of runs in table 0, and in table 1. They are counted in the tables of inbox rows:
    /// a message is in the run of its first entry.
    counts: [i64; 2],
}

impl Runs {
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
                    inbox_moved: Position { key: row.get(1)?, seq: row.get(2)? },
                    sequence_moved: Position { key: row.get(3)?, seq: row.get(4)? },
                    counts: [row.get(5)?, row.get(6)?],
                })
            })
    }

    /// The table (0 or 1) of the growing generation. The moving generation is in the other table.
    pub(crate) const fn growing(&self) -> i64 {
        table(self.generation)
    }

    /// The number of runs in a table (0 or 1).
    pub(crate) const fn count(&self, table: i64) -> i64 {
        let [even, odd] = self.counts;
        if table == 0 { even } else { odd }
    }

    pub(crate) const fn set_count(&mut self, table: i64, count: i64) {
        let [even, odd] = &mut self.counts;
        *(if table == 0 { even } else { odd }) = count;
    }

    /// The runs from the oldest. All but the last get no more rows.
    pub(crate) fn run_ids(&self) -> impl Iterator<Item = RunId> {
        let runs = |generation: i64| {
            (0..self.count(table(generation))).map(move |number| RunId { generation, number })
        };
        runs(self.generation - 1).chain(runs(self.generation))
    }
}
