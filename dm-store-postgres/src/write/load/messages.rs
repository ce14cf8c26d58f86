//! Reading messages: the messages that were sent with a client id, and the inbox numbers of the
//! messages that are acknowledged by their ids.

use std::collections::BTreeSet;

use dm_core::store::{AckTarget, Action, MessageId, Write};
use uuid::Uuid;

use crate::codec::{self, MESSAGE_COLUMNS};
use crate::error::Fault;
use crate::write::load::rows::RowKind;
use crate::write::pipeline::{Pipeline, param};

/// Reads, for each message of the array, the participants and the numbers of their inbox entries.
pub(super) const INBOX_NUMBERS: &str = "SELECT m.id, m.sender, m.recipient, m.sender_seq, m.recipient_seq
    FROM messages m WHERE m.id = ANY ($1::uuid[])";

/// Finds stored messages by sender and client id.
pub(super) fn sent_statement() -> String {
    format!(
        "SELECT {MESSAGE_COLUMNS}, m.sender_seq FROM unnest($1::bytea[], $2::uuid[]) AS s(sender, client_id)
         JOIN messages m ON m.sender = s.sender AND m.client_id = s.client_id AND m.client_id IS NOT NULL"
    )
}

/// Adds the statement that reads the inbox numbers of all messages that a batch acknowledges by
/// their ids; nothing if there are none.
///
/// The read needs no lock, because the numbers of a message never change. A message that is not
/// found was not committed before, so no device has received it.
pub(super) async fn read_inbox_numbers(
    pipeline: &mut Pipeline<'_>,
    kinds: &mut Vec<RowKind>,
    batch: &[Write],
) -> Result<(), Fault> {
    let ids: Vec<Uuid> = acknowledged_ids(batch).iter().map(|id| codec::uuid(id.as_bytes())).collect();
    if !ids.is_empty() {
        pipeline.add(INBOX_NUMBERS, vec![param(ids)]).await?;
        kinds.push(RowKind::InboxNumbers);
    }
    Ok(())
}

/// Adds the statement that reads stored messages that were sent with a client id that the segment
/// uses.
pub(super) async fn read_sent<'a>(
    pipeline: &mut Pipeline<'a>,
    kinds: &mut Vec<RowKind>,
    writes: &'a [Write],
) -> Result<(), Fault> {
    let (mut senders, mut client_ids) = (Vec::new(), Vec::new());
    for write in writes {
        let Action::AppendMessage(write) = &write.action else { continue };
        if let Some(id) = &write.client_id {
            senders.push(write.sender.user.as_bytes().as_slice());
            client_ids.push(codec::uuid(id.as_bytes()));
        }
    }
    if !client_ids.is_empty() {
        pipeline.add(sent_statement(), vec![param(senders), param(client_ids)]).await?;
        kinds.push(RowKind::SentMessages);
    }
    Ok(())
}

/// The messages that writes acknowledge by their ids.
fn acknowledged_ids(writes: &[Write]) -> BTreeSet<MessageId> {
    let mut acknowledged = BTreeSet::new();
    for write in writes {
        if let Action::Acknowledge(write) = &write.action
            && let AckTarget::Messages(ids) = &write.target
        {
            acknowledged.extend(ids);
        }
    }
    acknowledged
}
