//! Reading pages of a conversation's messages.

use std::sync::Arc;

use dm_core::store::{HistoryPage, HistoryQuery, HistoryRange};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::codec::{self, MESSAGE_COLUMNS};
use crate::error::Fault;

/// The statement for a page of messages. Its rows are:
/// - one row for each message;
/// - for an empty page, one row without a message;
/// - no row if the conversation does not exist or the reader is not one of its participants.
///
/// The parameters are the conversation, the reader, the two exclusive bounds of message numbers,
/// the maximum number of rows, and the size of the page in bytes.
///
/// If more messages follow the page, the last row is the first of these, so the server sends at
/// most one message more than the page holds. The second message is always sent, even if the first
/// one alone fills the page, because it shows that there are more messages. The column `cost` is
/// the message's [`cost`](dm_core::Message::cost): the length of the payload plus 248.
pub(crate) fn statement(newest_first: bool) -> String {
    let order = if newest_first { "DESC" } else { "ASC" };
    format!(
        "SELECT {MESSAGE_COLUMNS} FROM conversations c
         LEFT JOIN LATERAL (
             SELECT f.*, sum(f.cost) OVER w - f.cost AS before, row_number() OVER w AS place
             FROM (
                 SELECT m.*, octet_length(m.payload) + 248 AS cost FROM messages m
                 WHERE m.conversation = c.id AND m.seq > $3 AND m.seq < $4 ORDER BY m.seq {order} LIMIT $5
             ) f WINDOW w AS (ORDER BY f.seq {order} ROWS UNBOUNDED PRECEDING)
         ) m ON m.before <= $6::bigint OR m.place <= 2
         WHERE c.id = $1 AND $2 IN (c.a, c.b) ORDER BY m.seq {order}"
    )
}

/// The order and the bounds of a range: whether the newest message comes first, and the lower and
/// the upper bound of message numbers. Both bounds are exclusive. The upper bound `i64::MAX`
/// excludes no message, because no message has this number.
pub(super) fn bounds(range: HistoryRange) -> (bool, i64, i64) {
    match range {
        HistoryRange::Newest => (true, 0, i64::MAX),
        HistoryRange::Before(sequence) => (true, 0, codec::u64_to_i64(sequence.get())),
        HistoryRange::After(sequence) => (false, codec::u64_to_i64(sequence.get()), i64::MAX),
    }
}

/// The page, from the rows of [`statement`]; `None` if there are no rows.
pub(super) fn page(query: &HistoryQuery, rows: &[Row]) -> Result<Option<HistoryPage>, Fault> {
    if rows.is_empty() {
        return Ok(None);
    }
    let mut page = HistoryPage::default();
    let mut bytes = 0_usize;
    for row in rows {
        if row.try_get::<_, Option<Uuid>>(0)?.is_none() {
            break;
        }
        let message = codec::message(row, 0)?;
        bytes = bytes.saturating_add(message.cost());
        let is_full = page.messages.len() == query.limit || bytes > query.max_bytes;
        if is_full && !page.messages.is_empty() {
            page.has_more = true;
            break;
        }
        page.messages.push(Arc::new(message));
    }
    Ok(Some(page))
}
