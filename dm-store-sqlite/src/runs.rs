//! Where the rows of an inbox and of a conversation lie.
//!
//! Rows that were written lately lie in small trees and are moved into the large ones later, in the order of their keys:
//! a send then touches a few pages that other sends touch, too, instead of three of its own. With 10,000 conversations
//! among 2,000 people and 500,000 messages stored, transactions of 256 messages write three to four times as many
//! messages per second in this way, and the log grows by a fifth.
//!
//! For a reader this means: the rows of one inbox, or of one conversation, are those of the large tree, then those of
//! each run of the generation that is being moved, then those of each run of the generation that grows. Within one
//! inbox and within one conversation that is the order of their numbers, because rows are written in this order.

use std::ops::ControlFlow;

use rusqlite::{Params, Result, Row};

use crate::database::Database;

/// Runs of a generation. Each costs every reader a look. With 1.5 million messages stored 16 of
/// 8,192 entries write 40,000 messages per second and 8 of them 30,000, because fewer rows of a
/// conversation are moved together; with 100,000 both write 45,000. A single one of 65,536 took a
/// third off the throughput.
pub(crate) const RUNS: i64 = 16;

/// Up to which row, in the order of keys, a generation is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) key: i64,
    pub(crate) seq: i64,
}

impl Position {
    pub(crate) const START: Self = Self { key: 0, seq: 0 };
    pub(crate) const END: Self = Self { key: i64::MAX, seq: i64::MAX };
}

/// What lies where, in one state of the database.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// The generation that grows.
    pub(crate) generation: i64,
    /// How far the one before it is moved.
    pub(crate) inbox: Position,
    pub(crate) sequence: Position,
    /// How many runs there are in the even generation, and in the odd one.
    pub(crate) runs: [i64; 2],
}

/// A part of the rows of one inbox or conversation: those in one tree whose numbers are above one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// Which table of recent rows, and which run in it; `None` is the large tree.
    recent: Option<(i64, i64)>,
    /// Rows up to this number are elsewhere or expired.
    pub(crate) above: i64,
}

impl Layout {
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
                    inbox: Position { key: row.get(1)?, seq: row.get(2)? },
                    sequence: Position { key: row.get(3)?, seq: row.get(4)? },
                    runs: [row.get(5)?, row.get(6)?],
                })
            })
    }

    /// Which of the two tables the generation that grows is in; the one before it is in the other.
    pub(crate) const fn growing(&self) -> i64 {
        self.generation & 1
    }

    /// The runs, from the oldest: of which generation, and the number in it. All but the last get
    /// no more rows.
    pub(crate) fn run_ids(&self) -> impl Iterator<Item = (i64, i64)> {
        let [even, odd] = self.runs;
        let runs = move |generation: i64| {
            let runs = if generation & 1 == 0 { even } else { odd };
            (0..runs).map(move |run| (generation, run))
        };
        runs(self.generation - 1).chain(runs(self.generation))
    }

    /// The parts of a user's inbox above the newest entry that expired, in the order of their numbers.
    pub(crate) fn inbox_of(&self, user_ref: i64, floor: i64) -> impl DoubleEndedIterator<Item = Run> {
        self.parts(self.inbox, user_ref, floor)
    }

    /// The parts of a conversation, in the order of their numbers.
    pub(crate) fn sequence_of(&self, conversation_ref: i64) -> impl DoubleEndedIterator<Item = Run> {
        self.parts(self.sequence, conversation_ref, 0)
    }

    /// The parts of a user's inbox that are not in the large tree.
    pub(crate) fn recent_inbox_of(&self, user_ref: i64) -> impl DoubleEndedIterator<Item = Run> {
        self.recent(self.inbox, user_ref, 0)
    }

    /// The parts of a conversation that are not in the large tree.
    pub(crate) fn recent_sequence_of(&self, conversation_ref: i64) -> impl DoubleEndedIterator<Item = Run> {
        self.recent(self.sequence, conversation_ref, 0)
    }

    fn parts(&self, moved: Position, key: i64, above: i64) -> impl DoubleEndedIterator<Item = Run> {
        std::iter::once(Run { recent: None, above }).chain(self.recent(moved, key, above))
    }

    fn recent(&self, moved: Position, key: i64, above: i64) -> impl DoubleEndedIterator<Item = Run> {
        let growing = self.growing();
        let [even, odd] = self.runs;
        let (new, old) = if growing == 0 { (even, odd) } else { (odd, even) };
        let (old, old_above) = match key.cmp(&moved.key) {
            std::cmp::Ordering::Less => (0, above),
            std::cmp::Ordering::Equal => (old, above.max(moved.seq)),
            std::cmp::Ordering::Greater => (old, above),
        };
        let old = (0..old).map(move |run| Run { recent: Some((1 - growing, run)), above: old_above });
        let new = (0..new).map(move |run| Run { recent: Some((growing, run)), above });
        old.chain(new)
    }
}

impl Run {
    /// A statement about an inbox's part, with the table for `{rows}` and, for `{run}`, a condition on its alias `r` and on
    /// `?1`, which is [`number`](Self::number).
    pub(crate) fn of_inbox(&self, statement: &str) -> String {
        self.of("dm_inbox", "dm_recent_inbox", statement)
    }

    /// A statement about a conversation's part, likewise.
    pub(crate) fn of_sequence(&self, statement: &str) -> String {
        self.of("dm_sequence", "dm_recent_sequence", statement)
    }

    /// Which run of its generation it is in.
    pub(crate) fn number(&self) -> Option<i64> {
        self.recent.map(|(_, run)| run)
    }

    fn of(&self, all: &str, recent: &str, statement: &str) -> String {
        match self.recent {
            None => statement.replace("{rows}", all).replace("{run}", "+?1 IS NULL"),
            Some((table, _)) => {
                statement.replace("{rows}", &format!("{recent}_{table}")).replace("{run}", "r.run = +?1")
            }
        }
    }
}

/// Visits the rows of parts in their order, until told to stop.
pub(crate) fn walk<P: Params>(
    connection: &Database,
    parts: impl Iterator<Item = Run>,
    statement: impl Fn(&Run) -> String,
    params: impl Fn(&Run) -> P,
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
