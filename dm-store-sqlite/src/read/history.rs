//! Reads pages of a conversation's messages. The newest messages are in runs, which are small
//! groups of rows that are not merged into the main tables yet ([`recent`](crate::recent)).
//!
//! For the plus signs in statements, see
//! [`CACHED_STATEMENTS`](crate::connection::CACHED_STATEMENTS).

use std::ops::ControlFlow;
use std::sync::Arc;

use dm_core::store::{HistoryPage, HistoryQuery, HistoryRange};
use rusqlite::{OptionalExtension, Result, Row, params};

use crate::codec::{self, MESSAGE_COLUMNS};
use crate::database::Database;
use crate::recent::read::{RowSource, for_each_row};
use crate::recent::runs::Runs;

/// A page of messages in the order and range of `query`, at most `query.limit` messages and
/// `query.max_bytes` bytes. The first message is returned even if it exceeds these limits. `None`
/// if the conversation does not exist or `query.reader` is not a participant.
pub(super) fn history(connection: &Database, query: &HistoryQuery) -> Result<Option<HistoryPage>> {
    let conversation: Option<i64> = connection
        .prepare_cached(
            "SELECT c.ref FROM dm_conversations c, dm_users u
             WHERE c.id = +?1 AND u.pubkey = +?2 AND u.ref IN (c.a, c.b)",
        )?
        .query_row(params![query.conversation.as_bytes(), query.reader.as_bytes()], |row| row.get(0))
        .optional()?;
    let Some(conversation) = conversation else { return Ok(None) };

    // The page holds messages with `above < sequence < below`. No message has the number
    // `i64::MAX`, so that `i64::MAX` means no upper limit.
    let (above, below, newest_first) = match query.range {
        HistoryRange::Newest => (0, i64::MAX, true),
        HistoryRange::Before(sequence) => (0, codec::u64_to_i64(sequence.get()), true),
        HistoryRange::After(sequence) => (codec::u64_to_i64(sequence.get()), i64::MAX, false),
    };
    let statement = format!(
        "SELECT {MESSAGE_COLUMNS} FROM {{table}} r JOIN dm_messages m ON m.ref = r.message
         JOIN dm_conversations c ON c.ref = m.conversation JOIN dm_users u ON u.ref = m.sender
         WHERE {{run_condition}} AND r.conversation = +?2 AND r.seq > +?3 AND r.seq < +?4 ORDER BY r.seq {}",
        if newest_first { "DESC" } else { "ASC" }
    );
    let mut page = HistoryPage::default();
    let mut bytes = 0_usize;
    let visit = |row: &Row<'_>| {
        let message = codec::message(row, 0)?;
        bytes = bytes.saturating_add(message.cost());
        let is_full = page.messages.len() == query.limit || bytes > query.max_bytes;
        if is_full && !page.messages.is_empty() {
            page.has_more = true;
            return Ok(ControlFlow::Break(()));
        }
        page.messages.push(Arc::new(message));
        Ok(ControlFlow::Continue(()))
    };
    let runs = Runs::read(connection)?;
    let sources = runs.sequence_sources(conversation);
    let sql = |source: &RowSource| source.sequence_sql(&statement);
    let params = |source: &RowSource| (source.run_number(), conversation, source.after.max(above), below);
    if newest_first {
        for_each_row(connection, sources.rev(), sql, params, visit)?;
    } else {
        for_each_row(connection, sources, sql, params, visit)?;
    }
    Ok(Some(page))
}
