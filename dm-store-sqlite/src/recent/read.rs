//! Reading the newest recent row of an inbox or of a conversation.

use rusqlite::{OptionalExtension, Result, params};

use crate::database::Database;
use crate::recent::runs::Runs;

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
            .query_row(params![part.run(), conversation_ref, part.above], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if newest.is_some() {
            return Ok(newest);
        }
    }
    Ok(None)
}
