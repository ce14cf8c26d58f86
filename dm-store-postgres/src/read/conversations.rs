//! Reading one conversation, and pages of a user's list of conversations.

use dm_core::store::{Conversation, ConversationState, ServerSequence};
use tokio_postgres::Row;

use crate::codec;
use crate::error::Fault;

/// Reads one conversation by its id.
pub(crate) const CONVERSATION: &str =
    "SELECT c.id, c.a, c.b, c.opened_at, c.head, c.last_at FROM conversations c WHERE c.id = $1";

/// Reads a page of a user's conversations, in the order of the core's
/// [`ConversationCursor`](dm_core::ConversationCursor): by last activity, newest first, then by id,
/// highest first. Conversations without a message are the last ones.
///
/// The statement reads all conversations of the user. An index by last activity would avoid this,
/// but every send would have to change the index for both users.
pub(crate) const CONVERSATIONS: &str = "SELECT t.id, t.a, t.b, t.opened_at, t.head, t.last_at FROM (
        SELECT c.* FROM conversations c WHERE c.a = $1
        UNION ALL
        SELECT c.* FROM conversations c WHERE c.b = $1
    ) t
    WHERE $2::uuid IS NULL
       OR CASE WHEN $3::bigint IS NULL THEN t.last_at IS NULL AND t.id < $2
               ELSE t.last_at IS NULL OR t.last_at < $3 OR (t.last_at = $3 AND t.id < $2) END
    ORDER BY t.last_at DESC NULLS LAST, t.id DESC LIMIT $4";

/// A conversation, from a row of [`CONVERSATION`] or [`CONVERSATIONS`].
pub(super) fn state(row: &Row) -> Result<ConversationState, Fault> {
    let conversation = Conversation {
        id: codec::get_conversation(row, 0)?,
        participants: codec::get_participants(row, 1)?,
        opened_at: codec::get_time(row, 3)?,
    };
    let head = ServerSequence::new(codec::get_number(row, 4)?);
    let last_at: Option<i64> = row.try_get(5)?;
    Ok(ConversationState { conversation, head, last_activity: last_at.map(codec::time_from_i64) })
}
