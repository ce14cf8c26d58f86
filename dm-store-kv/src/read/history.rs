//! Reading pages of a conversation.

use dm_core::store::{HistoryPage, HistoryQuery, HistoryRange};

use super::MessageReader;
use crate::codec::{Fields, SequenceRow, log_key};
use crate::failure::Failure;
use crate::rows::{Order, Rows};
use crate::tables::Tables;

/// A page of a conversation's messages, in the order of the query's range. `None` if the
/// conversation does not exist, or if the reader is not a participant.
///
/// The page ends before `max_bytes` are exceeded, but has at least one message if there is one.
pub(super) fn history(
    tables: &Tables<impl Rows>,
    query: &HistoryQuery,
) -> Result<Option<HistoryPage>, Failure> {
    let Some(conversation_ref) = tables.conversation_ref(query.conversation)? else { return Ok(None) };
    let Some(reader) = tables.user_ref(query.reader)? else { return Ok(None) };
    let conversation = tables.conversation_row(conversation_ref)?;
    if reader != conversation.a && reader != conversation.b {
        return Ok(None);
    }

    let whole = (1, u64::MAX);
    let ((from, to), order) = match query.range {
        HistoryRange::Newest => (whole, Order::Descending),
        HistoryRange::Before(sequence) => ((1, sequence.get().saturating_sub(1)), Order::Descending),
        // The number 2^64 - 1 is never used, so every message number has a next one.
        HistoryRange::After(sequence) => ((sequence.next().get(), u64::MAX), Order::Ascending),
    };
    let mut messages = MessageReader::new(tables);
    let mut page = HistoryPage::default();
    let mut bytes = 0_usize;
    for row in
        tables.sequence.walk(&log_key(conversation_ref, from), &log_key(conversation_ref, to), order)?
    {
        let row = SequenceRow::decode(Fields::new(&row?.1))?;
        let (_, message) = messages.read(row.message)?;
        bytes = bytes.saturating_add(message.cost());
        let is_full = page.messages.len() == query.limit || bytes > query.max_bytes;
        if is_full && !page.messages.is_empty() {
            page.has_more = true;
            break;
        }
        page.messages.push(message);
    }
    Ok(Some(page))
}
