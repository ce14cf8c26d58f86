//! Reading conversations.

use std::collections::BTreeSet;

use dm_core::store::Write;
use uuid::Uuid;

use crate::codec;
use crate::error::Fault;
use crate::write::load::rows::RowKind;
use crate::write::pipeline::{Pipeline, param};

/// Reads conversations, by their ids and by their pairs of participants.
pub(super) const CONVERSATIONS: &str = "SELECT c.id, c.a, c.b, c.opened_at, c.head
    FROM conversations c WHERE c.id = ANY ($1::uuid[])
    UNION ALL
    SELECT c.id, c.a, c.b, c.opened_at, c.head
    FROM unnest($2::bytea[], $3::bytea[]) AS p(a, b) JOIN conversations c ON c.a = p.a AND c.b = p.b";

/// Adds the statement that reads the conversations that a segment appends to or opens.
pub(super) async fn read_conversations(
    pipeline: &mut Pipeline<'_>,
    kinds: &mut Vec<RowKind>,
    writes: &[Write],
) -> Result<(), Fault> {
    let (mut ids, mut a, mut b) = (BTreeSet::new(), Vec::new(), Vec::new());
    for write in writes {
        match write {
            Write::AppendMessage(write) => _ = ids.insert(codec::uuid(write.conversation.as_bytes())),
            Write::OpenConversation(write) => {
                a.push(write.participants.a().as_bytes().to_vec());
                b.push(write.participants.b().as_bytes().to_vec());
            }
            _ => {}
        }
    }
    if !ids.is_empty() || !a.is_empty() {
        let ids: Vec<Uuid> = ids.into_iter().collect();
        pipeline.add(CONVERSATIONS, vec![param(ids), param(a), param(b)]).await?;
        kinds.push(RowKind::Conversations);
    }
    Ok(())
}
