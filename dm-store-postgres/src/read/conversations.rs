//! Reading one conversation, and pages of a user's list of conversations.

use dm_core::store::{Conversation, ConversationState, ListedConversation, ServerSequence};
use tokio_postgres::Row;

use crate::codec::{self, RECORD_COLUMNS};
use crate::error::Fault;

/// Reads one conversation by its id.
pub(crate) const CONVERSATION: &str = "SELECT c.id, c.a, c.b, c.opened_at, c.head, c.last_at,
        c.a_sent, c.a_bytes, c.a_seen, c.b_sent, c.b_bytes, c.b_seen
    FROM conversations c WHERE c.id = $1";

/// The number of columns in [`CONVERSATION`].
const COLUMN_COUNT: usize = 12;

/// The statement for a page of a user's conversations, in the order of the core's
/// [`ConversationCursor`](dm_core::ConversationCursor): by last activity, newest first, then by id,
/// highest first. Conversations without a message are the last ones.
///
/// The parameters are those of [`listing`], and then the time of the cursor.
///
/// The statement reads all conversations of the user. An index by last activity would avoid this,
/// but every send would have to change the index for both users.
pub(crate) fn active_statement() -> String {
    listing(
        "SELECT * FROM (
             SELECT c.* FROM conversations c WHERE c.a = $1
             UNION ALL
             SELECT c.* FROM conversations c WHERE c.b = $1
         ) t
         WHERE $2::uuid IS NULL
            OR CASE WHEN $6::bigint IS NULL THEN t.last_at IS NULL AND t.id < $2
                    ELSE t.last_at IS NULL OR t.last_at < $6 OR (t.last_at = $6 AND t.id < $2) END
         ORDER BY t.last_at DESC NULLS LAST, t.id DESC LIMIT $3",
        "p.last_at DESC NULLS LAST, p.id DESC",
    )
}

/// The statement for a page of a user's conversations in the order of their ids, lowest first. Reads
/// no conversation outside the page. The parameters are those of [`listing`].
pub(crate) fn opened_statement() -> String {
    let of = |participant| {
        format!(
            "(SELECT c.* FROM conversations c
              WHERE c.{participant} = $1
                AND c.id >= coalesce($2::uuid, '00000000-0000-0000-0000-000000000000')
                AND c.id IS DISTINCT FROM $2
              ORDER BY c.id LIMIT $3)"
        )
    };
    let page = format!("SELECT * FROM ({} UNION ALL {}) t ORDER BY t.id LIMIT $3", of("a"), of("b"));
    listing(&page, "p.id")
}

/// The statement for a page of conversations, and the user's records about them. `page` selects the
/// conversations. The first five parameters are the user, the conversation after which the page
/// begins (NULL for the first page), the maximum number of conversations, the user as the owner of
/// records, and the kinds of the records.
///
/// There is one row for each record, and a row without a record for a conversation that has none.
/// Each record is found by its whole key: without the inner `LIMIT`, the planner might read all
/// records of a kind for each conversation.
fn listing(page: &str, order: &str) -> String {
    format!(
        "SELECT p.id, p.a, p.b, p.opened_at, p.head, p.last_at,
                p.a_sent, p.a_bytes, p.a_seen, p.b_sent, p.b_bytes, p.b_seen, {RECORD_COLUMNS}
         FROM ({page}) p
         LEFT JOIN LATERAL (
             SELECT f.*, k.place FROM unnest($5::integer[]) WITH ORDINALITY AS k(kind, place)
             CROSS JOIN LATERAL (
                 SELECT r.* FROM records r
                 WHERE r.owner = $4 AND r.kind = k.kind
                   AND r.name = decode(replace(p.id::text, '-', ''), 'hex')
                 LIMIT 1
             ) f
         ) r ON true
         ORDER BY {order}, r.place"
    )
}

/// A conversation, from the first columns of a row.
pub(super) fn state(row: &Row) -> Result<ConversationState, Fault> {
    let conversation = Conversation {
        id: codec::get_conversation(row, 0)?,
        participants: codec::get_participants(row, 1)?,
        opened_at: codec::get_time(row, 3)?,
    };
    let head = ServerSequence::new(codec::get_number(row, 4)?);
    let last_at: Option<i64> = row.try_get(5)?;
    let counts = codec::get_counts(row, 6)?;
    Ok(ConversationState { conversation, head, last_activity: last_at.map(codec::time_from_i64), counts })
}

/// A page of conversations, from the rows of [`listing`].
pub(super) fn page(rows: &[Row]) -> Result<Vec<ListedConversation>, Fault> {
    let mut page: Vec<ListedConversation> = Vec::new();
    for row in rows {
        let id = codec::get_conversation(row, 0)?;
        if page.last().is_none_or(|last| last.state.conversation.id != id) {
            page.push(ListedConversation { state: state(row)?, records: Vec::new() });
        }
        if row.try_get::<_, Option<&[u8]>>(COLUMN_COUNT)?.is_some()
            && let Some(last) = page.last_mut()
        {
            last.records.push(codec::get_record(row, COLUMN_COUNT)?);
        }
    }
    Ok(page)
}
