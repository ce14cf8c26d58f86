//! Reads the main table and the runs as one sequence. [`recent`](crate::recent) defines these
//! terms.
//!
//! For the plus signs in statements, see
//! [`CACHED_STATEMENTS`](crate::connection::CACHED_STATEMENTS).

use std::cmp::Ordering;
use std::ops::ControlFlow;

use rusqlite::{OptionalExtension, Params, Result, Row, params};

use crate::database::Database;
use crate::recent::runs::{MergeProgress, Runs};

/// One place that holds rows of an inbox or conversation: the main table or one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// The index of the run's tables (0 or 1) and the number of the run; `None` for the main table.
    recent: Option<(i64, i64)>,
    /// Only rows with higher numbers are to be read. Rows up to this number are merged, expired or
    /// not asked for.
    pub(crate) above: i64,
}

impl Runs {
    /// The main table and the runs with entries of a user above `floor`, the number of the newest
    /// expired entry or of any later entry. In ascending order of the entries' numbers.
    pub(crate) fn inbox_of(&self, user_ref: i64, floor: i64) -> impl DoubleEndedIterator<Item = Part> {
        self.parts(self.inbox_progress, user_ref, floor)
    }

    /// The main table and the runs with messages of a conversation, in ascending order of the
    /// messages' numbers.
    pub(crate) fn sequence_of(&self, conversation_ref: i64) -> impl DoubleEndedIterator<Item = Part> {
        self.parts(self.sequence_progress, conversation_ref, 0)
    }

    /// The runs with entries of a user that are not merged, in the same order.
    pub(crate) fn recent_inbox_of(&self, user_ref: i64) -> impl DoubleEndedIterator<Item = Part> {
        self.recent(self.inbox_progress, user_ref, 0)
    }

    /// The runs with messages of a conversation that are not merged, in the same order.
    pub(crate) fn recent_sequence_of(&self, conversation_ref: i64) -> impl DoubleEndedIterator<Item = Part> {
        self.recent(self.sequence_progress, conversation_ref, 0)
    }

    /// The main table, and then the runs.
    fn parts(&self, moved: MergeProgress, key: i64, above: i64) -> impl DoubleEndedIterator<Item = Part> {
        std::iter::once(Part { recent: None, above }).chain(self.recent(moved, key, above))
    }

    /// The runs with rows of the owner `key` that are not merged: those of the merging generation,
    /// then those of the growing one.
    fn recent(&self, moved: MergeProgress, key: i64, above: i64) -> impl DoubleEndedIterator<Item = Part> {
        let (growing_table, merging_table) = (self.growing_table(), 1 - self.growing_table());
        let (merging_runs, merging_above) = match key.cmp(&moved.owner_ref) {
            Ordering::Less => (0, above),
            Ordering::Equal => (self.run_count(merging_table), above.max(moved.seq)),
            Ordering::Greater => (self.run_count(merging_table), above),
        };
        let in_runs = |table: i64, runs: i64, above: i64| {
            (0..runs).map(move |run| Part { recent: Some((table, run)), above })
        };
        let merging = in_runs(merging_table, merging_runs, merging_above);
        merging.chain(in_runs(growing_table, self.run_count(growing_table), above))
    }
}

impl Part {
    /// Completes a statement on inbox entries.
    ///
    /// - `{rows}` is replaced by the name of the table, for which the statement uses the alias `r`.
    /// - `{run}` is replaced by the condition that selects the run. Its parameter `?1` must be
    ///   bound to [`run`](Self::run).
    pub(crate) fn inbox_statement(&self, statement: &str) -> String {
        self.statement("dm_inbox", "dm_recent_inbox", statement)
    }

    /// Completes a statement on messages of conversations in the same way.
    pub(crate) fn sequence_statement(&self, statement: &str) -> String {
        self.statement("dm_sequence", "dm_recent_sequence", statement)
    }

    /// The number of the run in its generation; `None` for the main table.
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

/// Queries each part in turn and calls `visit` for each row, until `visit` returns `Break`.
/// `statement` and `params` give the query of a part and its parameters.
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

/// The number of an inbox's newest entry in runs. `None` when runs hold no entry of the inbox that
/// is not merged.
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

/// The number and the time of a conversation's newest message in runs. `None` when runs hold no
/// message of the conversation that is not merged.
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
