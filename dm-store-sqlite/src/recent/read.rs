//! Reading the large tree and the runs as one sequence.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use rusqlite::{OptionalExtension, Params, Result, Row, params};

use crate::database::Database;
use crate::recent::runs::{Position, Runs};

/// The rows of one inbox or conversation in one tree, from a number on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// The table of recent rows (0 or 1) and the run in it; `None` for the large tree.
    recent: Option<(i64, i64)>,
    /// Rows up to this number are in another tree or expired.
    pub(crate) above: i64,
}

impl Runs {
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
        let (growing, moving) = (self.growing(), 1 - self.growing());
        let (unmoved, unmoved_above) = match key.cmp(&moved.key) {
            Ordering::Less => (0, above),
            Ordering::Equal => (self.count(moving), above.max(moved.seq)),
            Ordering::Greater => (self.count(moving), above),
        };
        let in_runs = |table: i64, runs: i64, above: i64| {
            (0..runs).map(move |run| Part { recent: Some((table, run)), above })
        };
        in_runs(moving, unmoved, unmoved_above).chain(in_runs(growing, self.count(growing), above))
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

/// The number of the newest entry of an inbox that is in a run; `None` when all are moved.
pub(crate) fn newest_entry(connection: &Database, runs: &Runs, user_ref: i64) -> Result<Option<i64>> {
    let statement = "SELECT max(r.seq) FROM {rows} r WHERE {run} AND r.user = +?2 AND r.seq > +?3";
    for part in runs.recent_inbox_of(user_ref).rev() {
        let newest: Option<i64> = connection
            .prepare_cached(&part.inbox_statement(statement))?
            .query_row(params![part.run(), user_ref, part.above], |row| row.get(0))?;
        if newest.is_some() {
            return Ok(newest);
        }
    }
    Ok(None)
}

/// The number and time of the newest message of a conversation that is in a run; `None` when all
/// are moved.
pub(crate) fn newest_message(
    connection: &Database,
    runs: &Runs,
    conversation_ref: i64,
) -> Result<Option<(i64, i64)>> {
    let statement = "SELECT r.seq, r.at FROM {rows} r WHERE {run} AND r.conversation = +?2 AND r.seq > +?3
                     ORDER BY r.seq DESC LIMIT 1";
    for part in runs.recent_sequence_of(conversation_ref).rev() {
        let newest = connection
            .prepare_cached(&part.sequence_statement(statement))?
            .query_row(params![part.run(), conversation_ref, part.above], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        if newest.is_some() {
            return Ok(newest);
        }
    }
    Ok(None)
}
