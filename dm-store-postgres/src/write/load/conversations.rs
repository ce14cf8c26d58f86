//! Reading conversations, and the gates of pairs without one.

use std::collections::{BTreeSet, HashMap};

use dm_core::store::{Action, Change, ConversationId, Participants, Write};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::codec;
use crate::error::Fault;
use crate::write::load::rows::RowKind;
use crate::write::pipeline::{Pipeline, param};

/// Reads conversations, by their ids and by their pairs of participants. Reads also the gates of
/// those pairs that have a row in `gates`, as rows without an id.
pub(super) const CONVERSATIONS: &str = "SELECT c.id, c.a, c.b, c.opened_at, c.head, c.last_at,
           c.a_sent, c.a_bytes, c.a_seen, c.b_sent, c.b_bytes, c.b_seen, c.fence, c.gate
    FROM conversations c WHERE c.id = ANY ($1::uuid[])
    UNION ALL
    SELECT c.id, c.a, c.b, c.opened_at, c.head, c.last_at,
           c.a_sent, c.a_bytes, c.a_seen, c.b_sent, c.b_bytes, c.b_seen, c.fence, c.gate
    FROM unnest($2::bytea[], $3::bytea[]) AS p(a, b) JOIN conversations c ON c.a = p.a AND c.b = p.b
    UNION ALL
    SELECT NULL, g.a, g.b, 0, 0, NULL, 0, 0, 0, 0, 0, 0, NULL, g.gate
    FROM unnest($2::bytea[], $3::bytea[]) AS p(a, b) JOIN gates g ON g.a = p.a AND g.b = p.b";

/// Reads the participants of conversations.
pub(super) const PARTICIPANTS: &str =
    "SELECT c.id, c.a, c.b FROM conversations c WHERE c.id = ANY ($1::uuid[])";

/// Adds the statement that reads the conversations that a segment opens, those whose gates it
/// changes, and, unless the segment reserved their numbers, those that it appends to.
pub(super) async fn read_conversations(
    pipeline: &mut Pipeline<'_>,
    kinds: &mut Vec<RowKind>,
    writes: &[Write],
    is_reserved: bool,
) -> Result<(), Fault> {
    let (mut ids, mut pairs) = (BTreeSet::new(), BTreeSet::new());
    for write in writes.iter().filter(|write| write.validate().is_ok()) {
        match &write.action {
            Action::AppendMessage(write) if !is_reserved => {
                ids.insert(codec::uuid(write.conversation.as_bytes()));
            }
            Action::OpenConversation(write) => _ = pairs.insert(write.participants),
            _ => {}
        }
        pairs.extend(write.changes.iter().filter_map(|change| match change {
            Change::Gate(change) => Some(change.pair),
            _ => None,
        }));
    }
    if !ids.is_empty() || !pairs.is_empty() {
        let ids: Vec<Uuid> = ids.into_iter().collect();
        let a: Vec<Vec<u8>> = pairs.iter().map(|pair| pair.a().as_bytes().to_vec()).collect();
        let b: Vec<Vec<u8>> = pairs.iter().map(|pair| pair.b().as_bytes().to_vec()).collect();
        pipeline.add(CONVERSATIONS, vec![param(ids), param(a), param(b)]).await?;
        kinds.push(RowKind::Conversations);
    }
    Ok(())
}

/// The participants in rows of [`PARTICIPANTS`].
pub(super) fn participants(rows: &[Row]) -> Result<HashMap<ConversationId, Participants>, Fault> {
    rows.iter().map(|row| Ok((codec::get_conversation(row, 0)?, codec::get_participants(row, 1)?))).collect()
}
