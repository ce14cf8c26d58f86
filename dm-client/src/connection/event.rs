//! The events of a connection.

use std::sync::Arc;

use super::ledger::Ledger;
use crate::{
    message::{Conversation, Message},
    record::KeyRecord,
};

/// Something for the caller.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The next entry of the user's inbox.
    Delivery(Box<Delivery>),
    /// What waited has been delivered; what follows happens now. Comes once per connection made.
    CaughtUp {
        /// The position up to which it waited.
        position: u64,
    },
}

/// An entry of the user's inbox.
#[derive(Debug)]
#[must_use = "a delivery that is not acknowledged comes again"]
pub struct Delivery {
    /// Its place in the inbox.
    pub position: u64,
    /// When it happened, Unix milliseconds of the server's clock.
    pub at: u64,
    /// What happened.
    pub content: Content,
    pub(super) receipt: Receipt,
}

/// What a [`Delivery`] tells.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// A message, received or sent from another of the user's devices.
    Message(Box<Message>),
    /// A conversation was opened.
    ConversationOpened(Box<Conversation>),
    /// A peer published a key, on the server's word.
    PeerKeyChanged(Box<KeyRecord>),
    /// Entries from `from` up to the delivery's position are gone: read the history of the conversations, then
    /// acknowledge.
    Gap {
        /// The first that is gone.
        from: u64,
    },
    /// Something that this version does not know. Acknowledge it.
    Unknown,
}

/// Stands for one delivery until it is handled.
#[derive(Debug)]
#[must_use = "a delivery that is not acknowledged comes again"]
pub struct Receipt {
    pub(super) position: u64,
    pub(super) ledger: Arc<Ledger>,
}

impl Delivery {
    /// Says that the delivery is handled. The server learns of it soon after.
    pub fn acknowledge(self) {
        self.receipt.acknowledge();
    }

    /// The content, and the receipt to acknowledge when it is handled.
    pub fn into_parts(self) -> (Content, Receipt) {
        (self.content, self.receipt)
    }
}

impl Receipt {
    /// Says that the delivery is handled. The server learns of it soon after.
    pub fn acknowledge(self) {
        self.ledger.handle(self.position);
    }
}
