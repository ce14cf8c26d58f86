//! Pages of a conversation.

use std::sync::Arc;

use dm_core::{HistoryPage, HistoryQuery, HistoryRange};
use rusqlite::{Connection, OptionalExtension, Result, params};

use crate::codec::{self, MESSAGE};

pub(super) fn history(connection: &Connection, query: &HistoryQuery) -> Result<Option<HistoryPage>> {
    let conversation: Option<i64> = connection
        .prepare_cached(
            "SELECT c.ref FROM dm_conversations c, dm_users u
             WHERE c.id = +?1 AND u.pubkey = +?2 AND u.ref IN (c.a, c.b)",
        )?
        .query_row(params![query.conversation.as_bytes(), query.reader.as_bytes()], |row| row.get(0))
        .optional()?;
    let Some(conversation) = conversation else { return Ok(None) };

    let (bound, order) = match query.range {
        // No number is as large as the bound.
        HistoryRange::Newest => (i64::MAX, "s.seq < ?2 ORDER BY s.seq DESC"),
        HistoryRange::Before(sequence) => (codec::bound(sequence.get()), "s.seq < ?2 ORDER BY s.seq DESC"),
        HistoryRange::After(sequence) => (codec::bound(sequence.get()), "s.seq > ?2 ORDER BY s.seq"),
    };
    let mut select = connection.prepare_cached(&format!(
        "SELECT {MESSAGE} FROM dm_sequence s JOIN dm_messages m ON m.ref = s.message
         JOIN dm_conversations c ON c.ref = m.conversation JOIN dm_users u ON u.ref = m.sender
         WHERE s.conversation = +?1 AND {order} LIMIT ?3"
    ))?;
    let mut rows = select.query(params![conversation, bound, codec::count(query.limit.saturating_add(1))])?;
    let mut page = HistoryPage::default();
    let mut bytes = 0_usize;
    while let Some(row) = rows.next()? {
        let message = codec::message(row, 0)?;
        bytes = bytes.saturating_add(message.cost());
        let full = page.messages.len() == query.limit || bytes > query.max_bytes;
        if full && !page.messages.is_empty() {
            page.has_more = true;
            break;
        }
        page.messages.push(Arc::new(message));
    }
    Ok(Some(page))
}
