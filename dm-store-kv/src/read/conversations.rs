//! Reading a conversation, and pages of a user's conversations.

use std::cmp::Reverse;

use dm_core::store::{
    Conversation, ConversationCursor, ConversationId, ConversationOrder, ConversationState,
    ConversationsQuery, Counts, ListedConversation, ServerSequence, Timestamp,
};

use super::records;
use crate::codec::{Fields, SequenceRow, after, log_key, member_key, owner_and_number};
use crate::failure::Failure;
use crate::rows::{Rows, RowsExt as _};
use crate::tables::Tables;

/// The newest message of a conversation. The default is that of a conversation without messages.
#[derive(Clone, Copy, Default)]
struct NewestMessage {
    sequence: ServerSequence,
    at: Option<Timestamp>,
    /// The counts of the conversation with the message.
    counts: Counts,
}

impl NewestMessage {
    /// Decodes a conversation's last row in `sequence`.
    fn decode(key: &[u8], value: &[u8]) -> Result<Self, Failure> {
        let (_, sequence) = owner_and_number(key)?;
        let SequenceRow { at, counts, .. } = SequenceRow::decode(Fields::new(value))?;
        Ok(Self { sequence: ServerSequence::new(sequence), at: Some(at), counts })
    }

    fn of(tables: &Tables<impl Rows>, conversation_ref: u32) -> Result<Self, Failure> {
        let (from, to) = (log_key(conversation_ref, 0), log_key(conversation_ref, u64::MAX));
        let newest = tables
            .sequence
            .last_in(&from, &to, |key, value| Self::decode(key.remaining(), value.remaining()))?;
        Ok(newest.unwrap_or_default())
    }
}

/// A conversation of a user, from the user's row in `members`.
#[derive(Clone, Copy)]
struct Member {
    id: ConversationId,
    conversation_ref: u32,
}

/// A conversation with its newest number and the time of its last activity; `None` if no
/// conversation has this id.
pub(super) fn conversation(
    tables: &Tables<impl Rows>,
    id: ConversationId,
) -> Result<Option<ConversationState>, Failure> {
    let Some(conversation_ref) = tables.conversation_ref(id)? else { return Ok(None) };
    state(tables, conversation_ref, NewestMessage::of(tables, conversation_ref)?).map(Some)
}

/// A page of a user's conversations, in the order of the query. Empty for a user without
/// conversations.
pub(super) fn conversations(
    tables: &Tables<impl Rows>,
    query: &ConversationsQuery,
) -> Result<Vec<ListedConversation>, Failure> {
    let Some(user_ref) = tables.user_ref(query.user)? else { return Ok(Vec::new()) };
    let page = match query.order {
        ConversationOrder::Opened { after } => opened(tables, user_ref, after, query.limit)?,
        ConversationOrder::Active { after } => active(tables, user_ref, after, query.limit)?,
    };
    page.into_iter()
        .map(|(member, newest)| {
            Ok(ListedConversation {
                state: state(tables, member.conversation_ref, newest)?,
                records: records::about(tables, query, member.id)?,
            })
        })
        .collect()
}

/// The first `limit` conversations of a user with ids above `later_than`, in the order of their ids.
fn opened(
    tables: &Tables<impl Rows>,
    user_ref: u32,
    later_than: Option<ConversationId>,
    limit: usize,
) -> Result<Vec<(Member, NewestMessage)>, Failure> {
    let from = match later_than {
        Some(id) => after(member_key(user_ref, id).to_vec()),
        None => user_ref.to_be_bytes().to_vec(),
    };
    members(tables, user_ref, &from)?
        .take(limit)
        .map(|member| {
            let member = member?;
            Ok((member, NewestMessage::of(tables, member.conversation_ref)?))
        })
        .collect()
}

/// The first `limit` conversations of a user after a cursor, in the order of [`ConversationCursor`]:
/// descending by last activity, then by id. Conversations without messages are last.
///
/// For each conversation of the user, this reads the user's row in `members` and the row of the
/// newest message in `sequence`, which are narrow.
fn active(
    tables: &Tables<impl Rows>,
    user_ref: u32,
    cursor: Option<ConversationCursor>,
    limit: usize,
) -> Result<Vec<(Member, NewestMessage)>, Failure> {
    let mut members =
        members(tables, user_ref, &user_ref.to_be_bytes())?.collect::<Result<Vec<Member>, Failure>>()?;
    // The refs must ascend. Most of them do already, because ids begin with the time of opening.
    members.sort_unstable_by_key(|member| member.conversation_ref);
    let refs: Vec<u32> = members.iter().map(|member| member.conversation_ref).collect();
    let mut newest = vec![NewestMessage::default(); refs.len()];
    tables.sequence.last_of_each(&refs, |index, key, value| {
        if let Some(newest) = newest.get_mut(index) {
            *newest = NewestMessage::decode(key, value)?;
        }
        Ok(())
    })?;

    let is_after_cursor = |(member, newest): &(Member, NewestMessage)| {
        cursor.is_none_or(|cursor| (newest.at, member.id) < (cursor.last_activity, cursor.id))
    };
    let mut list: Vec<_> = members.into_iter().zip(newest).filter(is_after_cursor).collect();
    list.sort_unstable_by_key(|(member, newest)| Reverse((newest.at, member.id)));
    list.truncate(limit);
    Ok(list)
}

/// The conversations of a user from the bound `from` in `members`, in the order of their ids.
fn members<'a, T: Rows>(
    tables: &'a Tables<T>,
    user_ref: u32,
    from: &[u8],
) -> Result<impl Iterator<Item = Result<Member, Failure>> + use<'a, T>, Failure> {
    let to = member_key(user_ref, ConversationId::from_bytes([u8::MAX; 16]));
    Ok(tables.members.scan(from, &to)?.map(|member| {
        let (key, value) = member?;
        let mut key = Fields::new(&key);
        key.skip_ref()?;
        let id = ConversationId::from_bytes(key.last(Fields::bytes)?);
        Ok(Member { id, conversation_ref: Fields::new(&value).last(Fields::u32)? })
    }))
}

/// The state of a conversation with this newest message.
fn state(
    tables: &Tables<impl Rows>,
    conversation_ref: u32,
    newest: NewestMessage,
) -> Result<ConversationState, Failure> {
    let row = tables.conversation_row(conversation_ref)?;
    let participants = tables.participants(row)?;
    let conversation = Conversation { id: row.id, participants, opened_at: row.opened_at };
    let NewestMessage { sequence: head, at: last_activity, counts } = newest;
    Ok(ConversationState { conversation, head, last_activity, counts })
}
