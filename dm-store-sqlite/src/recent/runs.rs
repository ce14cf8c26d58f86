//! The small trees of recent rows, and the order in which they and the large trees are read.
//!
//! A new row of an inbox or of a conversation goes into a small tree first, a *run*. It is moved
//! into the large tree later, in the order of keys. A send then changes a few pages that other
//! sends change too, instead of three of its own. With 10,000 conversations among 2,000 users and
//! 500,000 messages stored, transactions of 256 messages write three to four times as many messages
//! per second in this way, and a fifth as much log.
//!
//! The rows of one inbox, or of one conversation, are those of the large tree, then those of each
//! run of the generation that is being moved, then those of each run of the generation that grows.
//! This is the order of their numbers, because rows are written in the order of their numbers.

use std::ops::ControlFlow;

use rusqlite::{Params, Result, Row};

use crate::database::Database;

/// Runs of a generation. Every read looks into each of them. With 1.5 million messages stored, 16
/// runs of 8,192 entries write 40,000 messages per second and 8 of them 30,000, because fewer rows
/// of a conversation are moved together. With 100,000 messages stored both write 45,000. A single
/// run of 65,536 entries took a third off the throughput.
pub(crate) const RUNS: i64 = 16;

/// The last row of a generation that was moved, in the order of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    /// The row of the user or of the conversation.
    pub(crate) key: i64,
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
    /// The number of the generation that grows. The one before it is being moved.
    pub(crate) generation: i64,
    /// The inbox rows of the generation before it are moved up to here.
    pub(crate) inbox_moved: Position,
    /// The conversation rows of the generation before it are moved up to here.
    pub(crate) sequence_moved: Position,
    /// The number of runs in the even generation, and in the odd one.
    pub(crate) counts: [i64; 2],
}

/// The rows of one inbox or conversation in one tree, from a number on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// The table of recent rows (0 or 1) and the run in it; `None` for the large tree.
    recent: Option<(i64, i64)>,
    /// Rows up to this number are in another tree or expired.
    pub(crate) above: i64,
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

    /// The table (0 or 1) of the generation that grows. The one before it is in the other table.
    pub(crate) const fn growing(&self) -> i64 {
        self.generation & 1
    }

    /// The runs as generation and number in it, from the oldest. All but the last get no more rows.
    pub(crate) fn run_ids(&self) -> impl Iterator<Item = (i64, i64)> {
        let [even, odd] = self.counts;
        let runs = move |generation: i64| {
            let runs = if generation & 1 == 0 { even } else { odd };
            (0..runs).map(move |run| (generation, run))
        };
        runs(self.generation - 1).chain(runs(self.generation))
    }

    /// The parts of a user's inbox above `floor`, the newest entry that expired, in the order of
    /// their numbers.
    pub(crate) fn inbox_of(&self, user_ref: i64, floor: i64) -> impl DoubleEndedIterator<Item = Part> {
        self.parts(self.inbox_moved, user_ref, floor)
    }

    /// The parts of a conversation, in the order of their numbers.
    pub(crate) fn sequence_of(&self, conversation_ref: i64) -> impl DoubleEndedIterator<Item = Part> {
        self.parts(self.sequence_moved, conversation_ref, 0)
    }

    /// The parts of a user's inbox that are not in the large tree.
    pub(crate) fn recent_inbox_of(&self, user_ref: i64) -> impl DoubleEndedIterator<Item = Part> {
        self.recent(self.inbox_moved, user_ref, 0)
    }

    /// The parts of a conversation that are not in the large tree.
    pub(crate) fn recent_sequence_of(&self, conversation_ref: i64) -> impl DoubleEndedIterator<Item = Part> {
        self.recent(self.sequence_moved, conversation_ref, 0)
    }

    fn parts(&self, moved: Position, key: i64, above: i64) -> impl DoubleEndedIterator<Item = Part> {
        std::iter::once(Part { recent: None, above }).chain(self.recent(moved, key, above))
    }

    fn recent(&self, moved: Position, key: i64, above: i64) -> impl DoubleEndedIterator<Item = Part> {
        let growing = self.growing();
        let [even, odd] = self.counts;
        let (new, old) = if growing == 0 { (even, odd) } else { (odd, even) };
        let (old, old_above) = match key.cmp(&moved.key) {
            std::cmp::Ordering::Less => (0, above),
            std::cmp::Ordering::Equal => (old, above.max(moved.seq)),
            std::cmp::Ordering::Greater => (old, above),
        };
        let old = (0..old).map(move |run| Part { recent: Some((1 - growing, run)), above: old_above });
        let new = (0..new).map(move |run| Part { recent: Some((growing, run)), above });
        old.chain(new)
    }
}

impl Part {
    /// A statement about a part of an inbox: `{rows}` becomes the table, and `{run}` a condition on
    /// the table's alias `r` and on `?1`, which is [`run`](Self::run).
    pub(crate) fn inbox_statement(&self, statement: &str) -> String {
        self.statement("dm_inbox", "dm_recent_inbox", statement)
    }

    /// The same for a part of a conversation.
    pub(crate) fn sequence_statement(&self, statement: &str) -> String {
        self.statement("dm_sequence", "dm_recent_sequence", statement)
    }

    /// The run's number in its generation; `None` for the large tree.
    pub(crate) fn run(&self) -> Option<i64> {
        self.recent.map(|(_, run)| run)
    }

    fn statement(&self, all: &str, recent: &str, statement: &str) -> String {
        match self.recent {
            None => statement.replace("{rows}", all).replace("{run}", "+?1 IS NULL"),
            Some((table, _)) => {
                statement.replace("{rows}", &format!("{recent}_{table}")).replace("{run}", "r.run = +?1")
            }
        }
    }
}

/// Visits the rows of parts in the order of the parts, until `visit` breaks.
pub(crate) fn walk<P: Params>(
    connection: &Database,
    parts: impl Iterator<Item = Part>,
    statement: impl Fn(&Part) -> String,
    params: impl Fn(&Part) -> P,
    mut visit: impl FnMut(&Row<'_>) -> Result<ControlFlow<()>>,
) -> Result<()> {
    for part in parts {
        let mut select = connection.prepare_cached(&statement(&part))?;
        let mut rows = select.query(params(&part))?;
        while let Some(row) = rows.next()? {
            if visit(row)?.is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}
