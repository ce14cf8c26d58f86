//! Messages and conversations as the server hands them out.

use std::fmt;

use crate::{
    ids::{ClientMessageId, ConversationId, Device, MessageId},
    keys::PublicKey,
    suite::NONCE_LEN,
};

/// A stored message: ciphertext, and where it stands. [`Reader::open`](crate::Reader::open) reads it.
///
/// All of it is the server's word until it has opened, and then what its suite does not bind still
/// is. `Debug` shows the payload's length only.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// Its name.
    pub id: MessageId,
    /// The conversation it is in.
    pub conversation: ConversationId,
    /// Its place there: 1, 2, 3 … without holes.
    pub sequence: u64,
    /// Who sent it.
    pub sender: PublicKey,
    /// What the host calls the sender. Any text; neutralize it before it reaches a terminal.
    pub sender_name: String,
    /// The sender's clock, Unix milliseconds.
    pub sent_at: u64,
    /// When the server received it, Unix milliseconds; `None` from a server that does not tell.
    pub received_at: Option<u64>,
    /// The sender's name for it, if it gave one and the server passes it on.
    pub client_id: Option<ClientMessageId>,
    /// How it is encrypted.
    pub suite: u32,
    /// The nonce.
    pub nonce: [u8; NONCE_LEN],
    /// The encrypted payload.
    pub payload: Vec<u8>,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.id)
            .field("conversation", &self.conversation)
            .field("sequence", &self.sequence)
            .field("sender", &self.sender)
            .field("suite", &self.suite)
            .field("payload_len", &self.payload.len())
            .finish_non_exhaustive()
    }
}

/// A conversation of two users.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conversation {
    /// Its name.
    pub id: ConversationId,
    /// The two users.
    pub participants: [Participant; 2],
    /// When it was opened, Unix milliseconds.
    pub created_at: u64,
    /// When its newest message was received, Unix milliseconds; `None` before the first.
    pub last_message_at: Option<u64>,
}

/// A user in a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    /// Who it is.
    pub user: PublicKey,
    /// What the host calls them. Any text; neutralize it before it reaches a terminal.
    pub name: String,
}

impl Conversation {
    /// The participant that is not `me`; `None` if `me` is neither.
    pub fn peer_of(&self, me: &PublicKey) -> Option<&Participant> {
        let [a, b] = &self.participants;
        match (a.user == *me, b.user == *me) {
            (true, false) => Some(b),
            (false, true) => Some(a),
            _ => None,
        }
    }
}

/// A page of the user's conversations, most recently active first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationPage {
    /// The conversations.
    pub conversations: Vec<Conversation>,
    /// Where the next page starts; `None` after the last.
    pub next: Option<String>,
}

/// Which part of a conversation to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryRange {
    /// The newest messages, newest first.
    Newest,
    /// Those numbered below this, newest first.
    Before(u64),
    /// Those numbered above this, oldest first.
    After(u64),
}

/// A page of a conversation, in the order that the range says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryPage {
    /// The messages.
    pub messages: Vec<Message>,
    /// Whether there are more in that direction.
    pub has_more: bool,
}

/// A page of messages that wait for the device, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingPage {
    /// The first and the last position that are gone before the first message, if any are: read the history of the
    /// conversations instead.
    pub gap: Option<(u64, u64)>,
    /// The messages.
    pub messages: Vec<Message>,
    /// Where the next page starts; `None` after the last.
    pub next: Option<u64>,
}

/// What has arrived for good on this device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acknowledge {
    /// Every inbox entry up to this position, itself included.
    UpTo(u64),
    /// These messages, at most 1,000.
    Messages(Vec<MessageId>),
}

/// What an acknowledgement did. Repeating one is no error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledged {
    /// Entries that it newly covered.
    pub acknowledged: u64,
    /// Named messages that are not in the user's inbox.
    pub unknown: u64,
    /// Entries that still wait.
    pub remaining: u64,
}

/// A message that the server has stored for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Its name.
    pub id: MessageId,
    /// Its place in the conversation.
    pub sequence: u64,
    /// When the server received it, Unix milliseconds; `None` from a server that does not tell.
    pub received_at: Option<u64>,
    /// Whether an earlier attempt with the same client message id had stored it.
    pub repeated: bool,
}

/// One of the user's devices, as the server knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredDevice {
    /// Its name.
    pub device: Device,
    /// When it was registered, Unix milliseconds of the server's clock.
    pub registered_at: u64,
    /// Everything up to this position of the user's inbox is acknowledged on it.
    pub cursor: u64,
}

/// A ticket for one WebSocket connection, for clients that cannot set a header on it.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The secret.
    pub ticket: String,
    /// When it expires, Unix milliseconds of the server's clock, if the server says so.
    pub expires_at: Option<u64>,
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;

    #[test]
    fn the_peer_is_the_other_participant_and_nobody_for_who_takes_no_part() {
        let user = |seed| Identity::from_seed(&[seed; 32]).public_key();
        let participant = |seed| Participant { user: user(seed), name: format!("{seed}") };
        let conversation = Conversation {
            id: ConversationId::new(uuid::Uuid::nil()),
            participants: [participant(1), participant(2)],
            created_at: 5,
            last_message_at: None,
        };
        let peer = |seed| conversation.peer_of(&user(seed)).map(|peer| peer.name.as_str());
        assert_eq!([peer(1), peer(2), peer(3)], [Some("2"), Some("1"), None]);
    }
}
