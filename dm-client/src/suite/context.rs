//! [`Context`] and [`Header`]: the values that suite 1 binds a message to. A message does not
//! decrypt with other values.

use super::error::SameParty;
use crate::ids::{ClientMessageId, ConversationId};
use crate::keys::{KeyVersion, UserId};

/// The conversation, the sender and the recipient of a message.
///
/// All devices of both parties use the same context for a message. Other devices of the sender
/// decrypt the message with this context and the recipient's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Context {
    conversation: ConversationId,
    sender: UserId,
    recipient: UserId,
}

impl Context {
    /// The context of a message from `sender` to `recipient` in `conversation`.
    ///
    /// # Errors
    ///
    /// [`SameParty`] if sender and recipient are the same.
    pub fn new(conversation: ConversationId, sender: UserId, recipient: UserId) -> Result<Self, SameParty> {
        if sender == recipient {
            return Err(SameParty);
        }
        Ok(Self { conversation, sender, recipient })
    }

    /// The conversation.
    pub const fn conversation(&self) -> ConversationId {
        self.conversation
    }

    /// The sender of the message.
    pub const fn sender(&self) -> &UserId {
        &self.sender
    }

    /// The recipient of the message.
    pub const fn recipient(&self) -> &UserId {
        &self.recipient
    }

    /// The party that is not `user`; `None` if `user` is neither party.
    pub fn other_than(&self, user: &UserId) -> Option<&UserId> {
        if *user == self.sender {
            Some(&self.recipient)
        } else if *user == self.recipient {
            Some(&self.sender)
        } else {
            None
        }
    }
}

/// The versions of the two published keys that a message was encrypted with. `None` (0 in the bytes
/// of the header) means that the sender did not know the version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyVersions {
    /// The version of the sender's key.
    pub sender: Option<KeyVersion>,
    /// The version of the recipient's key.
    pub recipient: Option<KeyVersion>,
}

/// The fields that a payload of suite 1 has in addition to the plaintext. They are authenticated
/// but not encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    /// The versions of the sender's and the recipient's key.
    pub versions: KeyVersions,
    /// The client message id.
    pub message_id: ClientMessageId,
}
