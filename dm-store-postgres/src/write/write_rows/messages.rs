//! Writing new messages and new inbox entries.

use crate::codec;
use crate::error::Fault;
use crate::write::pipeline::{Pipeline, param};
use crate::write::state::{BatchState, Content};

const INSERT_MESSAGES: &str = "INSERT INTO messages (conversation, seq, id, sender, recipient,
        sender_seq, recipient_seq, client_id, sent_at, received_at, suite, nonce, ephemeral, payload, sender_number)
    SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::bytea[], $5::bytea[], $6::bigint[],
        $7::bigint[], $8::uuid[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bytea[], $13::bytea[],
        $14::bytea[], $15::bigint[])";

const INSERT_ENTRIES: &str = "INSERT INTO inbox (user_id, seq, at, conversation, message_seq,
        notice, origin, addressee)
    SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::uuid[], $5::bigint[], $6::bytea[],
        $7::text[], $8::bigint[])";

/// Adds the statement that inserts all new messages.
pub(super) async fn insert_messages<'a>(
    state: &'a BatchState,
    pipeline: &mut Pipeline<'a>,
) -> Result<(), Fault> {
    if state.messages.is_empty() {
        return Ok(());
    }
    macro_rules! column {
        (|$message:ident, $numbers:ident| $value:expr) => {
            param(state.messages.iter().map(|($message, $numbers)| $value).collect::<Vec<_>>())
        };
    }
    let params = vec![
        column!(|m, _n| codec::uuid(m.conversation.as_bytes())),
        column!(|m, _n| codec::u64_to_i64(m.sequence.get())),
        column!(|m, _n| codec::uuid(m.id.as_bytes())),
        column!(|m, _n| m.sender.as_bytes().as_slice()),
        column!(|_m, n| n.recipient.as_bytes().as_slice()),
        column!(|_m, n| codec::u64_to_i64(n.sender_seq.get())),
        column!(|_m, n| codec::u64_to_i64(n.recipient_seq.get())),
        column!(|m, _n| m.client_id.as_ref().map(|id| codec::uuid(id.as_bytes()))),
        column!(|m, _n| codec::time_to_i64(m.sent_at)),
        column!(|m, _n| codec::time_to_i64(m.received_at)),
        column!(|m, _n| m.ciphertext.suite().map(|suite| i64::from(suite.0))),
        column!(|m, _n| m.ciphertext.nonce().as_slice()),
        column!(|m, _n| m.ciphertext.ephemeral().map(<[u8; 32]>::as_slice)),
        column!(|m, _n| &m.ciphertext.payload()[..]),
        column!(|m, _n| codec::u64_to_i64(m.sender_sequence.get())),
    ];
    pipeline.add(INSERT_MESSAGES, params).await
}

/// Adds the statement that inserts all new inbox entries.
pub(super) async fn insert_entries<'a>(
    state: &'a BatchState,
    pipeline: &mut Pipeline<'a>,
) -> Result<(), Fault> {
    if state.entries.is_empty() {
        return Ok(());
    }
    macro_rules! column {
        (|$entry:ident| $value:expr) => {
            param(state.entries.iter().map(|$entry| $value).collect::<Vec<_>>())
        };
    }
    let params = vec![
        column!(|e| e.user.as_bytes().as_slice()),
        column!(|e| codec::u64_to_i64(e.seq.get())),
        column!(|e| codec::time_to_i64(e.at)),
        column!(|e| match &e.content {
            Content::Message(conversation, _) => Some(codec::uuid(conversation.as_bytes())),
            Content::Notice(_) => None,
        }),
        column!(|e| match &e.content {
            Content::Message(_, sequence) => Some(codec::u64_to_i64(sequence.get())),
            Content::Notice(_) => None,
        }),
        column!(|e| match &e.content {
            Content::Message(..) => None,
            Content::Notice(notice) => Some(notice.as_slice()),
        }),
        column!(|e| codec::origin(e.origin.as_ref())),
        column!(|e| e.addressee.map(|registration| codec::u64_to_i64(registration.get()))),
    ];
    pipeline.add(INSERT_ENTRIES, params).await
}
