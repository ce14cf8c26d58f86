//! The context that the encryption of a message is bound to.

use super::error::SameParty;
use crate::{
    ids::{ClientMessageId, ConversationId},
    keys::PublicKey,
};

/// Between whom, in which direction and where a message travels.
///
/// Both sides name it the same way: a sender's other devices open their own messages with the very context that
/// sealed them, and the same other party's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Context {
    conversation: ConversationId,
    sender: PublicKey,
    recipient: PublicKey,
}

impl Context {
    /// A message from `sender` to `recipient` in `conversation`.
    ///
    /// # Errors
    ///
    /// [`SameParty`] if sender and recipient are the same.
    pub fn new(
        conversation: ConversationId,
        sender: PublicKey,
        recipient: PublicKey,
    ) -> Result<Self, SameParty> {
        if sender == recipient {
            return Err(SameParty);
        }
        Ok(Self { conversation, sender, recipient })
    }

    /// The conversation.
    pub const fn conversation(&self) -> ConversationId {
        self.conversation
    }

    /// Who wrote the message.
    pub const fn sender(&self) -> &PublicKey {
        &self.sender
    }

    /// For whom it was written.
    pub const fn recipient(&self) -> &PublicKey {
        &self.recipient
    }

    /// The party that is not `user`; `None` if `user` is neither.
    pub fn other_than(&self, user: &PublicKey) -> Option<&PublicKey> {
        if *user == self.sender {
            Some(&self.recipient)
        } else if *user == self.recipient {
            Some(&self.sender)
        } else {
            None
        }
    }
}

/// Which published keys a message was encrypted with: versions as the server counts them, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyVersions {
    /// The sender's.
    pub sender: u32,
    /// The recipient's.
    pub recipient: u32,
}

/// What one message is, beside its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Header {
    /// The keys in use.
    pub versions: KeyVersions,
    /// The sender's id of the message.
    pub message_id: ClientMessageId,
}
