//! Reading a conversation, and pages of a user's conversations.

use std::cmp::Reverse;

use dm_core::store::{
    Conversation, ConversationId, ConversationState, ConversationsQuery, ServerSequence, Timestamp,
};

use super::newest::newest_of;
use crate::codec::{ConversationRow, Fields, refs_key};
use crate::failure::Failure;
use crate::rows::{Rows, RowsExt as _};
use crate::tables::Tables;

pub(super) fn conversation(
    tables: &Tables<impl Rows>,
    id: ConversationId,
) -> Result<Option<ConversationState>, Failure> {
    let Some(conversation_ref) = tables.conversation_ref(id)? else { return Ok(None) };
    let (head, last_activity) = tables.newest_message(conversation_ref)?;
    state(tables, tables.conversation_row(conversation_ref)?, head, last_activity).map(Some)
}

/// A page in the order of the core's cursor: last activity, newest first, never-active last, then
/// id, newest first.
///
/// The newest message of each of the user's conversations is read, from a narrow table. The
/// participants are read for the page only.
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
            key.u32()?;
            key.last(Fields::u32)
        })
        .collect::<Result<Vec<u32>, Failure>>()?;
    let mut newest = vec![(ServerSequence::ZERO, None); refs.len()];
    tables.sequence.last_of_each(&refs, |index, key, value| {
        if let Some(newest) = newest.get_mut(index) {
            *newest = newest_of(Fields::new(key), Fields::new(value))?;
        }
        Ok(())
    })?;

    let mut list = Vec::new();
    for (conversation_ref, (head, last_activity)) in refs.into_iter().zip(newest) {
        let row = tables.conversation_row(conversation_ref)?;
        let comes_after =
            |cursor: dm_core::ConversationCursor| (last_activity, row.id) < (cursor.last_activity, cursor.id);
        if query.after.is_none_or(comes_after) {
            list.push((last_activity, row, head));
        }
    }
    list.sort_unstable_by_key(|(last_activity, row, _)| Reverse((*last_activity, row.id)));
    list.truncate(query.limit);
    list.into_iter().map(|(last_activity, row, head)| state(tables, row, head, last_activity)).collect()
}

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
