//! Writing new and changed conversations.

use crate::codec;
use crate::error::Fault;
use crate::write::pipeline::{Pipeline, param};
use crate::write::state::{BatchState, ConversationHead};

const INSERT_CONVERSATIONS: &str =
    "INSERT INTO conversations (id, a, b, opened_at, a_number, b_number, head, last_at)
    SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::bigint[], $5::bigint[], $6::bigint[],
        $7::bigint[], $8::bigint[])";

/// Sets the head and the time of the last activity. A NULL time means that the segment reserved
/// numbers and used none. The time then becomes that of the message at the head.
pub(super) const UPDATE_CONVERSATIONS: &str =
    "UPDATE conversations c SET head = n.head, last_at = coalesce(n.last_at,
        (SELECT m.received_at FROM messages m WHERE m.conversation = n.id AND m.seq = n.head))
    FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS n(id, head, last_at) WHERE c.id = n.id";

/// Adds the statements that insert new conversations and update existing ones. An existing
/// conversation is updated if the head in its row is not the number of its newest message.
pub(super) async fn write_conversations<'a>(
    state: &'a BatchState,
    pipeline: &mut Pipeline<'a>,
) -> Result<(), Fault> {
    let new: Vec<_> = state
        .conversations
        .values()
        // Only conversations that the segment opens have these numbers.
        .filter_map(|head| head.new_numbers.map(|numbers| (head, numbers)))
        .collect();
    if !new.is_empty() {
        macro_rules! column {
            (|$head:ident, $numbers:ident| $value:expr) => {
                param(new.iter().map(|($head, $numbers)| $value).collect::<Vec<_>>())
            };
        }
        let params = vec![
            column!(|head, _numbers| codec::uuid(head.conversation.id.as_bytes())),
            column!(|head, _numbers| head.conversation.participants.a().as_bytes().to_vec()),
            column!(|head, _numbers| head.conversation.participants.b().as_bytes().to_vec()),
            column!(|head, _numbers| codec::time_to_i64(head.conversation.opened_at)),
            column!(|_head, numbers| codec::u64_to_i64(numbers.0)),
            column!(|_head, numbers| codec::u64_to_i64(numbers.1)),
            column!(|head, _numbers| codec::u64_to_i64(head.sequence.get())),
            column!(|head, _numbers| head.last_activity.map(codec::time_to_i64)),
        ];
        pipeline.add(INSERT_CONVERSATIONS, params).await?;
    }
    let is_changed =
        |head: &&ConversationHead| head.new_numbers.is_none() && head.sequence != head.sequence_in_row;
    let changed: Vec<_> = state.conversations.values().filter(is_changed).collect();
    if !changed.is_empty() {
        let params = vec![
            param(changed.iter().map(|h| codec::uuid(h.conversation.id.as_bytes())).collect::<Vec<_>>()),
            param(changed.iter().map(|h| codec::u64_to_i64(h.sequence.get())).collect::<Vec<_>>()),
            param(changed.iter().map(|h| h.last_activity.map(codec::time_to_i64)).collect::<Vec<_>>()),
        ];
        pipeline.add(UPDATE_CONVERSATIONS, params).await?;
    }
    Ok(())
}
