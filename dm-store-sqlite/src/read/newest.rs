//! Reading the newest recent row of an inbox or of a conversation.

use rusqlite::{OptionalExtension, Result, params};

use crate::database::Database;
use crate::runs::Layout;

/// The number of the newest entry of an inbox that is in a run; `None` when all are moved.
pub(super) fn newest_entry(connection: &Database, layout: &Layout, user_ref: i64) -> Result<Option<i64>> {
    let statement = "SELECT max(r.seq) FROM {rows} r WHERE {run} AND r.user = +?2 AND r.seq > +?3";
    for part in layout.recent_inbox_of(user_ref).rev() {
        let newest: Option<i64> = connection
            .prepare_cached(&part.of_inbox(statement))?
            .query_row(params![part.number(), user_ref, part.above], |row| row.get(0))?;
        if newest.is_some() {
            return Ok(newest);
        }
    }
    Ok(None)
}

/// The number and time of the newest message of a conversation that is in a run; `None` when all
/// are moved.
pub(super) fn newest_message(
    connection: &Database,
    layout: &Layout,
    thread_ref: i64,
) -> Result<Option<(i64, i64)>> {
    let statement = "SELECT r.seq, r.at FROM {rows} r WHERE {run} AND r.conversation = +?2 AND r.seq > +?3
                     ORDER BY r.seq DESC LIMIT 1";
    for part in layout.recent_sequence_of(thread_ref).rev() {
        let newest = connection
            .prepare_cached(&part.of_sequence(statement))?
            .query_row(params![part.number(), thread_ref, part.above], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if newest.is_some() {
            return Ok(newest);
        }
    }
    Ok(None)
}
