//! Writing new and changed conversations, and the gates of pairs without one.

use dm_core::store::{Counts, Owner};

use crate::codec;
use crate::error::Fault;
use crate::write::pipeline::{Param, Pipeline, param};
use crate::write::state::{BatchState, ConversationHead};

/// Inserts conversations. A conversation may have a fence already, because a record may belong to a
/// conversation that does not exist yet. Records are written before.
pub(super) const INSERT_CONVERSATIONS: &str =
    "INSERT INTO conversations (id, a, b, opened_at, head, last_at,
        a_sent, a_bytes, a_seen, b_sent, b_bytes, b_seen, gate, fence)
    SELECT n.id, n.a, n.b, n.opened_at, n.head, n.last_at,
        n.a_sent, n.a_bytes, n.a_seen, n.b_sent, n.b_bytes, n.b_seen, n.gate,
        (SELECT r.tag FROM records r WHERE r.owner = n.owner AND r.kind = 1 AND r.name = ''::bytea)
    FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
        $7::bigint[], $8::bigint[], $9::bigint[], $10::bytea[], $11::bytea[], $12::bytea[], $13::bigint[],
        $14::bytea[])
        AS n(id, head, last_at, a_sent, a_bytes, a_seen, b_sent, b_bytes, b_seen, gate, a, b, opened_at, owner)";

/// Sets all columns of conversations that may change, except the fence. A NULL time means that the
/// segment reserved numbers and used none. The time then becomes that of the message at the head.
pub(super) const UPDATE_CONVERSATIONS: &str = "UPDATE conversations c SET head = n.head,
        last_at = coalesce(n.last_at,
            (SELECT m.received_at FROM messages m WHERE m.conversation = n.id AND m.seq = n.head)),
        a_sent = n.a_sent, a_bytes = n.a_bytes, a_seen = n.a_seen,
        b_sent = n.b_sent, b_bytes = n.b_bytes, b_seen = n.b_seen, gate = n.gate
    FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
        $7::bigint[], $8::bigint[], $9::bigint[], $10::bytea[])
        AS n(id, head, last_at, a_sent, a_bytes, a_seen, b_sent, b_bytes, b_seen, gate)
    WHERE c.id = n.id";

/// Sets the fences of conversations that exist.
pub(super) const UPDATE_FENCES: &str = "UPDATE conversations c SET fence = n.fence
    FROM unnest($1::uuid[], $2::uuid[]) AS n(id, fence) WHERE c.id = n.id";

pub(super) const DELETE_GATES: &str = "DELETE FROM gates g
    USING unnest($1::bytea[], $2::bytea[]) AS n(a, b) WHERE g.a = n.a AND g.b = n.b";

const UPSERT_GATES: &str = "INSERT INTO gates (a, b, gate)
    SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bytea[])
    ON CONFLICT (a, b) DO UPDATE SET gate = excluded.gate";

/// Adds the statements that insert new conversations and update existing ones. An existing
/// conversation is updated if its gate changed, or if the head in its row is not the number of its
/// newest message.
pub(super) async fn write_conversations<'a>(
    state: &'a BatchState,
    pipeline: &mut Pipeline<'a>,
) -> Result<(), Fault> {
    let heads = || state.conversations.values();
    let new: Vec<_> = heads().filter(|head| head.is_new).collect();
    if !new.is_empty() {
        let mut params = changing_columns(&new);
        let participants = |head: &&ConversationHead| head.conversation.participants;
        params.push(param(new.iter().map(|h| participants(h).a().as_bytes().to_vec()).collect::<Vec<_>>()));
        params.push(param(new.iter().map(|h| participants(h).b().as_bytes().to_vec()).collect::<Vec<_>>()));
        let opened_at = new.iter().map(|head| codec::time_to_i64(head.conversation.opened_at));
        params.push(param(opened_at.collect::<Vec<_>>()));
        let owners = new.iter().map(|head| codec::owner(Owner::Conversation(head.conversation.id)));
        params.push(param(owners.collect::<Vec<_>>()));
        pipeline.add(INSERT_CONVERSATIONS, params).await?;
    }
    let is_changed = |head: &&ConversationHead| head.has_new_gate || head.sequence != head.sequence_in_row;
    let changed: Vec<_> = heads().filter(|head| !head.is_new).filter(is_changed).collect();
    if !changed.is_empty() {
        pipeline.add(UPDATE_CONVERSATIONS, changing_columns(&changed)).await?;
    }
    if !state.conversation_fences.is_empty() {
        let fences = &state.conversation_fences;
        let params = vec![
            param(fences.keys().map(|id| codec::uuid(id.as_bytes())).collect::<Vec<_>>()),
            param(fences.values().map(|tag| tag.map(codec::tag)).collect::<Vec<_>>()),
        ];
        pipeline.add(UPDATE_FENCES, params).await?;
    }
    Ok(())
}

/// The first ten parameters of [`INSERT_CONVERSATIONS`], which are those of
/// [`UPDATE_CONVERSATIONS`].
fn changing_columns(heads: &[&ConversationHead]) -> Vec<Param<'static>> {
    let number = |number: fn(&Counts) -> u64| {
        param(heads.iter().map(|head| codec::u64_to_i64(number(&head.counts))).collect::<Vec<_>>())
    };
    vec![
        param(heads.iter().map(|head| codec::uuid(head.conversation.id.as_bytes())).collect::<Vec<_>>()),
        param(heads.iter().map(|head| codec::u64_to_i64(head.sequence.get())).collect::<Vec<_>>()),
        param(heads.iter().map(|head| head.last_activity.map(codec::time_to_i64)).collect::<Vec<_>>()),
        number(|counts| counts.a.sent.get()),
        number(|counts| counts.a.bytes),
        number(|counts| counts.a.seen.get()),
        number(|counts| counts.b.sent.get()),
        number(|counts| counts.b.bytes),
        number(|counts| counts.b.seen.get()),
        param(heads.iter().map(|head| codec::pair_gate(head.gate)).collect::<Vec<_>>()),
    ]
}

/// Adds the statements that write the changed gates of pairs without a conversation. A gate that
/// lets everything through has no row.
pub(super) async fn write_gates<'a>(state: &'a BatchState, pipeline: &mut Pipeline<'a>) -> Result<(), Fault> {
    let (mut removed, mut stored) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new(), Vec::new()));
    for (pair, row) in state.gates.iter().filter(|(_, row)| row.is_changed) {
        let (a, b) = (pair.a().as_bytes().to_vec(), pair.b().as_bytes().to_vec());
        match codec::pair_gate(row.gate) {
            None => {
                removed.0.push(a);
                removed.1.push(b);
            }
            Some(gate) => {
                stored.0.push(a);
                stored.1.push(b);
                stored.2.push(gate);
            }
        }
    }
    if !removed.0.is_empty() {
        pipeline.add(DELETE_GATES, vec![param(removed.0), param(removed.1)]).await?;
    }
    if !stored.0.is_empty() {
        pipeline.add(UPSERT_GATES, vec![param(stored.0), param(stored.1), param(stored.2)]).await?;
    }
    Ok(())
}
