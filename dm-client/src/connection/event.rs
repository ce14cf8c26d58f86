//! [`Event`]: an event of a connection, such as a delivery.

use std::sync::Arc;

use super::ack_tracker::AckTracker;
use crate::conversation::Conversation;
use crate::message::Message;
use crate::numbers::InboxSeq;
use crate::record::KeyRecord;
use crate::time::Timestamp;

/// An event of a connection.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The next entry of the user's inbox.
    Delivery(Box<Delivery>),
    /// The whole backlog (the entries that were pending when the WebSocket was opened) is
    /// delivered. Later deliveries are of new entries. This event occurs once per WebSocket.
    CaughtUp {
        /// The number of the last entry of the backlog, or the device's cursor if the backlog is
        /// empty.
        seq: InboxSeq,
    },
}

/// An entry of the user's inbox, or a range of removed entries (a gap).
#[derive(Debug)]
#[must_use = "a delivery that is not acknowledged is delivered again after a restart"]
pub struct Delivery {
    /// The number of the entry in the inbox; for a gap, the last missing number.
    pub seq: InboxSeq,
    /// The time at which the entry was added to the inbox, by the server's clock; zero for a gap.
    pub at: Timestamp,
    /// The content of the entry.
    pub content: Content,
    pub(super) receipt: Receipt,
}

/// The content of a [`Delivery`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// A message that the user received, or that another of the user's devices sent.
    Message(Box<Message>),
    /// A conversation with the user was opened.
    ConversationOpened(Box<Conversation>),
    /// A peer published a key. The record is not verified.
    PeerKeyChanged(Box<KeyRecord>),
    /// The server has removed the entries from `from` to the delivery's [`seq`](Delivery::seq),
    /// both included. Their messages may still be in the history: read the history of the
    /// conversations, and then acknowledge.
    Gap {
        /// The number of the first missing entry.
        from: InboxSeq,
    },
    /// An entry that is malformed or that this version of the library does not know. Acknowledge
    /// it, because the cursor cannot pass it otherwise.
    Unknown,
}

/// Acknowledges one delivery, separately from its content; see [`Delivery::into_parts`].
#[derive(Debug)]
#[must_use = "a delivery that is not acknowledged is delivered again after a restart"]
pub struct Receipt {
    pub(super) seq: InboxSeq,
    pub(super) acks: Arc<AckTracker>,
}

impl Delivery {
    /// Acknowledges the delivery. The background task sends the acknowledgement to the server
    /// later.
    pub fn acknowledge(self) {
        self.receipt.acknowledge();
    }

    /// The content, and the receipt that acknowledges the delivery.
    pub fn into_parts(self) -> (Content, Receipt) {
        (self.content, self.receipt)
    }
}

impl Receipt {
    /// Acknowledges the delivery. The background task sends the acknowledgement to the server
    /// later.
    pub fn acknowledge(self) {
        self.acks.mark_handled(self.seq);
    }
}
