//! What the store's tests share.

#![allow(missing_docs, dead_code, unreachable_pub, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, reason = "tests")]

use dm_core::{
    AppendMessage, Ciphertext, ConversationId, DeviceStart, InboxQuery, InboxSeq, MessageId,
    OpenConversation, OwnEntries, Participants, Principal, RegisterDevice, Timestamp, UserId, Write,
};

/// The *n*-th of many users.
pub fn user(n: u64) -> UserId {
    use curve25519_dalek::{EdwardsPoint, Scalar};
    UserId::from_bytes(EdwardsPoint::mul_base(&Scalar::from(n + 1)).compress().to_bytes()).unwrap()
}

pub fn who(n: u64) -> Principal {
    user(n).into()
}

pub fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub fn conversation(n: u8) -> ConversationId {
    ConversationId::from_bytes([n; 16])
}

pub fn message_id(n: u64) -> MessageId {
    MessageId::from_bytes((u128::from(n) << 64 | 7).to_be_bytes())
}

pub fn ciphertext(payload: &str) -> Ciphertext {
    Ciphertext::new(payload.as_bytes().to_vec().into(), &[7; 24], None, None).unwrap()
}

/// Opens conversation `n` of two users.
pub fn open(n: u8, one: u64, other: u64) -> Write {
    Write::OpenConversation(OpenConversation {
        id: conversation(n),
        participants: Participants::new(user(one), user(other)).unwrap(),
        opener: who(one),
        at: at(1),
    })
}

/// Appends message `id` to conversation `n`.
pub fn append(n: u8, from: u64, id: u64, when: u64) -> Write {
    Write::AppendMessage(AppendMessage {
        id: message_id(id),
        conversation: conversation(n),
        sender: who(from),
        client_id: None,
        recipient_key_version: None,
        sent_at: at(when),
        at: at(when),
        ciphertext: ciphertext(&id.to_string()),
    })
}

pub fn register(who: Principal) -> Write {
    Write::RegisterDevice(RegisterDevice { who, start: DeviceStart::Oldest, limit: 8, at: at(1) })
}

pub fn whole_inbox(who: Principal) -> InboxQuery {
    InboxQuery { who, after: InboxSeq::ZERO, own: OwnEntries::Include, limit: 10_000, max_bytes: usize::MAX }
}
