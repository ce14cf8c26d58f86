//! Messages to send: [`NewMessage`] before the encryption, [`OutgoingMessage`] after it.

use std::fmt;

use crate::entropy::Entropy;
use crate::identity::Identity;
use crate::ids::{ClientMessageId, ConversationId};
use crate::keys::KeyVersion;
use crate::record::PeerKey;
use crate::suite::{self, Context, Header, KeyVersions, SameParty, SealError, Sealed, Suite};
use crate::time::Timestamp;

/// A message that is not yet encrypted. `Debug` shows the plaintext's length only.
#[derive(Clone, PartialEq, Eq)]
pub struct NewMessage<'a> {
    /// The conversation with the peer.
    pub conversation: ConversationId,
    /// The peer's key.
    pub peer: PeerKey,
    /// The version of the sender's own published key, from
    /// [`Client::publish_key`](crate::Client::publish_key); `None` if it is not known.
    pub own_key_version: Option<KeyVersion>,
    /// The cipher suite.
    pub suite: Suite,
    /// The plaintext: at most [`Suite::max_plaintext`] bytes; may be empty.
    pub plaintext: &'a [u8],
}

/// An encrypted message, with all fields that are sent to the server.
///
/// It is plain data, so that a program can keep it on disk until the server has stored it. A
/// repeated send must have the same bytes: the server refuses other content under the same id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingMessage {
    /// The client message id, the same in every attempt.
    pub id: ClientMessageId,
    /// The conversation.
    pub conversation: ConversationId,
    /// The time of sending, by the sender's clock.
    pub sent_at: Timestamp,
    /// The version of the recipient's key that the message is encrypted to. The server refuses the
    /// message if another version is current. With `None`, the server does not check the version.
    pub recipient_key_version: Option<KeyVersion>,
    /// The ciphertext.
    pub sealed: Sealed,
}

impl<'a> NewMessage<'a> {
    /// A message in the default suite, from a sender whose own key version is not known.
    pub fn new(conversation: ConversationId, peer: PeerKey, plaintext: &'a [u8]) -> Self {
        Self { conversation, peer, own_key_version: None, suite: Suite::default(), plaintext }
    }
}

impl OutgoingMessage {
    /// Encrypts a message under the client message id `id`. A new message needs a new id, from
    /// [`ClientMessageId::generate`].
    ///
    /// Encrypt other content under a used id only after the server has answered that the key is
    /// stale. This answer means that nothing is stored under the id.
    ///
    /// # Errors
    ///
    /// [`SealError`] if the message cannot be encrypted: [`SealError::NotTheSender`] if the peer is
    /// the sender itself.
    pub fn seal(
        identity: &Identity,
        message: &NewMessage<'_>,
        id: ClientMessageId,
        sent_at: Timestamp,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, SealError> {
        let NewMessage { conversation, peer, own_key_version, suite, plaintext } = message;
        let context = Context::new(*conversation, identity.user_id(), peer.user())
            .map_err(|SameParty| SealError::NotTheSender)?;
        let versions = KeyVersions { sender: *own_key_version, recipient: peer.version() };
        let header = Header { versions, message_id: id };
        let sealed = suite::seal(*suite, identity, peer.key(), &context, &header, plaintext, entropy)?;
        let recipient_key_version = peer.version();
        Ok(Self { id, conversation: *conversation, sent_at, recipient_key_version, sealed })
    }
}

impl fmt::Debug for NewMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewMessage")
            .field("conversation", &self.conversation)
            .field("peer", &self.peer)
            .field("suite", &self.suite)
            .field("plaintext_len", &self.plaintext.len())
            .finish_non_exhaustive()
    }
}
