//! [`Message`]: a message as the server returns it, and the values of the calls about messages.

use std::fmt;

use crate::ids::{ClientMessageId, ConversationId, MessageId};
use crate::keys::UserId;
use crate::numbers::ServerSequence;
use crate::suite::NONCE_LEN;
use crate::time::Timestamp;

/// A stored message: the ciphertext, and the fields that the server reports with it.
/// [`Reader::open`](crate::Reader::open) decrypts it.
///
/// Before the decryption, no field is verified. After the decryption, the fields that the
/// [suite](crate::suite) binds are verified, and no others. `Debug` shows only the length of the
/// payload.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// The id of the message.
    pub id: MessageId,
    /// The conversation of the message.
    pub conversation: ConversationId,
    /// The number of the message in the conversation.
    pub sequence: ServerSequence,
    /// The sender.
    pub sender: UserId,
    /// The sender's display name at the host. It can be any text, also empty. Remove control
    /// characters before you print it.
    pub sender_name: String,
    /// The time of sending, by the sender's clock.
    pub sent_at: Timestamp,
    /// The time at which the server received the message; `None` if the server does not send it.
    pub received_at: Option<Timestamp>,
    /// The client message id; `None` if the sender gave no id or the server does not send it.
    pub client_id: Option<ClientMessageId>,
    /// The suite tag; see [`Suite::from_tag`](crate::Suite::from_tag).
    pub suite: u32,
    /// The nonce, 24 bytes.
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

/// The range of a conversation's messages to read. `Before` and `After` do not include the message
/// with their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryRange {
    /// The newest messages, newest first.
    Newest,
    /// The messages below a number, newest first.
    Before(ServerSequence),
    /// The messages above a number, oldest first.
    After(ServerSequence),
}

/// A page of a conversation's messages, in the order of its range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryPage {
    /// The messages.
    pub messages: Vec<Message>,
    /// Whether the conversation has more messages after the last one of this page, in the order of
    /// the page.
    pub has_more: bool,
}

/// The server's confirmation that a message is durably stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The id of the message.
    pub id: MessageId,
    /// The number of the message in the conversation.
    pub sequence: ServerSequence,
    /// The time at which the server received the message; `None` if the server does not send it.
    pub received_at: Option<Timestamp>,
    /// Whether an earlier attempt with the same client message id had stored the message.
    pub repeated: bool,
}
