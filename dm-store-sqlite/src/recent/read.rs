//! Reads the main table and the runs (small groups of new rows) as one sequence.
//! [`recent`](crate::recent) defines these terms.
//!
//! For the plus signs in statements, see
//! [`CACHED_STATEMENTS`](crate::connection::CACHED_STATEMENTS).

use std::cmp::Ordering;
use std::ops::ControlFlow;

use dm_core::store::{Counts, ServerSequence, Timestamp};
use rusqlite::{OptionalExtension, Params, Result, Row, params};

use crate::codec::{gate, time_from_i64};
use crate::database::Database;
use crate::recent::newest::TableRun;
use crate::recent::runs::{MergeProgress, Runs};

/// A main table or one run, from which rows of one inbox or conversation are read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowSource {
    /// The index of the run's tables (0 or 1) and the number of the run; `None` for the main table.
    table_and_run: Option<(i64, i64)>,
    /// Only rows with numbers above this one are to be read. The rows up to it are merged, expired
    /// or not requested.
    pub(crate) after: i64,
}

impl Runs {
    /// The main table and the runs, in ascending order of a user's entries in them. Entries with
    /// numbers above `after` are read. `after` must not be below the number of the newest expired
    /// entry, because expired entries stay in runs.
    pub(crate) fn inbox_sources(
        &self,
        user_ref: i64,
        after: i64,
    ) -> impl DoubleEndedIterator<Item = RowSource> {
        self.all_sources(self.inbox_progress, user_ref, after)
    }

    /// The main table and the runs, in ascending order of a conversation's messages in them.
    pub(crate) fn sequence_sources(
        &self,
        conversation_ref: i64,
    ) -> impl DoubleEndedIterator<Item = RowSource> {
        self.all_sources(self.sequence_progress, conversation_ref, 0)
    }

    /// The runs, without the main table, in ascending order of a user's entries in them.
    pub(crate) fn recent_inbox_sources(&self, user_ref: i64) -> impl DoubleEndedIterator<Item = RowSource> {
        self.recent_sources(self.inbox_progress, user_ref, 0)
    }

    /// The runs, without the main table, in ascending order of a conversation's messages in them.
    pub(crate) fn recent_sequence_sources(
        &self,
        conversation_ref: i64,
    ) -> impl DoubleEndedIterator<Item = RowSource> {
        self.recent_sources(self.sequence_progress, conversation_ref, 0)
    }

    /// The main table, and then the runs.
    fn all_sources(
        &self,
        progress: MergeProgress,
        owner_ref: i64,
        after: i64,
    ) -> impl DoubleEndedIterator<Item = RowSource> {
        let main_table = RowSource { table_and_run: None, after };
        std::iter::once(main_table).chain(self.recent_sources(progress, owner_ref, after))
    }

    /// The runs with rows of the owner that are not merged: those of the merging generation, then
    /// those of the growing one.
    fn recent_sources(
        &self,
        progress: MergeProgress,
        owner_ref: i64,
        after: i64,
    ) -> impl DoubleEndedIterator<Item = RowSource> {
        // Rows are merged in the order of owners: all rows of the owners before
        // `progress.owner_ref` are merged, and none of the owners after it.
        let (growing_table, merging_table) = (self.growing_table(), 1 - self.growing_table());
        let (merging_runs, merging_after) = match owner_ref.cmp(&progress.owner_ref) {
            Ordering::Less => (0, after),
            Ordering::Equal => (self.run_count(merging_table), after.max(progress.seq)),
            Ordering::Greater => (self.run_count(merging_table), after),
        };
        let in_runs = |table: i64, runs: i64, after: i64| {
            (0..runs).map(move |run| RowSource { table_and_run: Some((table, run)), after })
        };
        let merging = in_runs(merging_table, merging_runs, merging_after);
        merging.chain(in_runs(growing_table, self.run_count(growing_table), after))
    }
}

impl RowSource {
    /// Completes a statement on inbox entries.
    ///
    /// - `{table}` is replaced by the name of the table, for which the statement uses the alias
    ///   `r`.
    /// - `{run_condition}` is replaced by the condition that selects the run. Its parameter `?1`
    ///   must be bound to [`run_number`](Self::run_number).
    pub(crate) fn inbox_sql(&self, statement: &str) -> String {
        self.statement("dm_inbox", "dm_recent_inbox", statement)
    }

    /// Completes a statement on messages of conversations in the same way.
    pub(crate) fn sequence_sql(&self, statement: &str) -> String {
        self.statement("dm_sequence", "dm_recent_sequence", statement)
    }

    /// The number of the run in its generation; `None` for the main table.
    pub(crate) fn run_number(&self) -> Option<i64> {
        self.table_and_run.map(|(_, run)| run)
    }

    /// Replaces both placeholders of a statement.
    fn statement(&self, main_table: &str, recent: &str, statement: &str) -> String {
        match self.table_and_run {
            None => statement.replace("{table}", main_table).replace("{run_condition}", "+?1 IS NULL"),
            Some((table, _)) => statement
                .replace("{table}", &format!("{recent}_{table}"))
                .replace("{run_condition}", "r.run = +?1"),
        }
    }
}

/// Queries each source in turn and calls `visit` for each row, until `visit` returns `Break`.
/// `statement` and `params` give the query of a source and its parameters.
pub(crate) fn for_each_row<P: Params>(
    connection: &Database,
    sources: impl Iterator<Item = RowSource>,
    statement: impl Fn(&RowSource) -> String,
    params: impl Fn(&RowSource) -> P,
    mut visit: impl FnMut(&Row<'_>) -> Result<ControlFlow<()>>,
) -> Result<()> {
    for source in sources {
        let mut select = connection.prepare_cached(&statement(&source))?;
        let mut rows = select.query(params(&source))?;
        while let Some(row) = rows.next()? {
            if visit(row)?.is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The number of an inbox's newest entry in runs, without merged entries. `None` if there is none.
pub(crate) fn newest_entry(connection: &Database, runs: &Runs, user_ref: i64) -> Result<Option<i64>> {
    let statement = "SELECT max(r.seq) FROM {table} r WHERE {run_condition} AND r.user = +?2 AND r.seq > +?3";
    for source in runs.recent_inbox_sources(user_ref).rev() {
        let newest: Option<i64> = connection
            .prepare_cached(&source.inbox_sql(statement))?
            .query_row(params![source.run_number(), user_ref, source.after], |row| row.get(0))?;
        if newest.is_some() {
            return Ok(newest);
        }
    }
    Ok(None)
}

/// The newest message of a conversation.
pub(crate) struct NewestMessage {
    pub(crate) seq: ServerSequence,
    /// The time at which the service received it.
    pub(crate) at: Timestamp,
    /// The counts of both sides after it.
    pub(crate) counts: Counts,
}

/// A conversation's newest message in runs, without merged messages. `None` if there is none.
pub(crate) fn newest_message(
    connection: &Database,
    runs: &Runs,
    conversation_ref: i64,
) -> Result<Option<NewestMessage>> {
    let statement = "SELECT r.seq, r.at, r.counts FROM {table} r
                     WHERE {run_condition} AND r.conversation = +?2 AND r.seq > +?3
                     ORDER BY r.seq DESC LIMIT 1";
    for source in runs.recent_sequence_sources(conversation_ref).rev() {
        let newest = connection
            .prepare_cached(&source.sequence_sql(statement))?
            .query_row(params![source.run_number(), conversation_ref, source.after], |row| {
                let (seq, at): (i64, i64) = (row.get(0)?, row.get(1)?);
                Ok(NewestMessage {
                    seq: ServerSequence::new(seq.cast_unsigned()),
                    at: time_from_i64(at),
                    counts: gate::get_counts(row, 2)?,
                })
            })
            .optional()?;
        if newest.is_some() {
            return Ok(newest);
        }
    }
    Ok(None)
}

/// The counts of both sides after message `seq` of a conversation. The row of the message is in this
/// run, or in the one before it in the same tables: the recipient's entry about a message may be in
/// the run after that of the message.
pub(crate) fn counts_in_run(
    connection: &Database,
    (table, run): TableRun,
    conversation_ref: i64,
    seq: i64,
) -> Result<Counts> {
    connection
        .prepare_cached(&format!(
            "SELECT counts FROM dm_recent_sequence_{table}
             WHERE run IN (+?1, +?2) AND conversation = +?3 AND seq = +?4"
        ))?
        .query_row([run, run - 1, conversation_ref, seq], |row| gate::get_counts(row, 0))
}
