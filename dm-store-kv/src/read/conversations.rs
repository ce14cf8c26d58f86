//! Reading a conversation, and pages of a user's conversations.

use std::cmp::Reverse;

use dm_core::store::{
    Conversation, ConversationId, ConversationState, ConversationsQuery, ServerSequence, Timestamp,
};

use super::newest_message::decode_newest_message;
use crate::codec::{ConversationRow, Fields, refs_key};
use crate::failure::Failure;
use crate::rows::{Rows, RowsExt as _};
use crate::tables::Tables;

/// A conversation with its newest number and the time of its last activity; `None` if no
/// conversation has this id.
pub(super) fn conversation(
    tables: &Tables<impl Rows>,
    id: ConversationId,
) -> Result<Option<ConversationState>, Failure> {
    let Some(conversation_ref) = tables.conversation_ref(id)? else { return Ok(None) };
    let (head, last_activity) = tables.newest_message(conversation_ref)?;
    state(tables, tables.conversation_row(conversation_ref)?, head, last_activity).map(Some)
}

/// A page of a user's conversations, in the order of
/// [`ConversationCursor`](dm_core::ConversationCursor): descending by last activity, then by id.
/// Conversations without messages are last. Empty for a user without conversations.
///
/// For each conversation of the user, this reads its row and the row of its newest message in
/// `sequence`, which are narrow. The participants are read only for conversations of the page.
pub(super) fn conversations(
    tables: &Tables<impl Rows>,
    query: &ConversationsQuery,
) -> Result<Vec<ConversationState>, Failure> {
    let Some(user_ref) = tables.user_ref(query.user)? else { return Ok(Vec::new()) };
    let refs = tables
        .members
        .scan(&refs_key(user_ref, 0), &refs_key(user_ref, u32::MAX))?
        .map(|member| {
            let (key, _) = member?;
            let mut key = Fields::new(&key);
            key.skip_ref()?;
            key.last(Fields::u32)
        })
        .collect::<Result<Vec<u32>, Failure>>()?;
    let mut newest = vec![(ServerSequence::ZERO, None); refs.len()];
    tables.sequence.last_of_each(&refs, |index, key, value| {
        if let Some(newest) = newest.get_mut(index) {
            *newest = decode_newest_message(Fields::new(key), Fields::new(value))?;
        }
        Ok(())
    })?;

    let mut list = Vec::new();
    for (conversation_ref, (head, last_activity)) in refs.into_iter().zip(newest) {
        let row = tables.conversation_row(conversation_ref)?;
        let is_after_cursor =
            |cursor: dm_core::ConversationCursor| (last_activity, row.id) < (cursor.last_activity, cursor.id);
        if query.after.is_none_or(is_after_cursor) {
            list.push((last_activity, row, head));
        }
    }
    list.sort_unstable_by_key(|(last_activity, row, _)| Reverse((*last_activity, row.id)));
    list.truncate(query.limit);
    list.into_iter().map(|(last_activity, row, head)| state(tables, row, head, last_activity)).collect()
}

/// The state of a conversation, from its row in `conversations` and its newest message.
fn state(
    tables: &Tables<impl Rows>,
    row: ConversationRow,
    head: ServerSequence,
    last_activity: Option<Timestamp>,
) -> Result<ConversationState, Failure> {
    let participants = tables.participants(row)?;
    let conversation = Conversation { id: row.id, participants, opened_at: row.opened_at };
    Ok(ConversationState { conversation, head, last_activity })
}
