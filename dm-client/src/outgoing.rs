//! A message on its way out.

use std::fmt;

use crate::{
    entropy::Entropy,
    identity::Identity,
    ids::{ClientMessageId, ConversationId},
    record::PeerKey,
    suite::{self, Context, Header, KeyVersions, SameParty, SealError, Sealed, Suite},
};

/// What to send, and to whom. `Debug` shows the length of the text only.
#[derive(Clone, PartialEq, Eq)]
pub struct NewMessage<'a> {
    /// The conversation with the peer.
    pub conversation: ConversationId,
    /// The peer's key.
    pub peer: PeerKey,
    /// The version of the sender's own published key, as [`Client::publish_key`](crate::Client::publish_key) told
    /// it; 0 if it is not known.
    pub own_key_version: u32,
    /// How to encrypt it.
    pub suite: Suite,
    /// What to say; may be empty.
    pub plaintext: &'a [u8],
}

/// An encrypted message with everything that the server is sent.
///
/// It is plain data, so that it can be kept on disk until it is stored: a repeated send must carry the very same
/// bytes, or the server refuses it as another message under the same id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingMessage {
    /// Its name, made before the first attempt and the same in every later one.
    pub id: ClientMessageId,
    /// Where to.
    pub conversation: ConversationId,
    /// The sender's clock, Unix milliseconds.
    pub sent_at: u64,
    /// The version of the recipient's key it is sealed to; the server refuses it if there is another one.
    pub recipient_key_version: Option<u32>,
    /// The ciphertext.
    pub sealed: Sealed,
}

impl<'a> NewMessage<'a> {
    /// A message under the default suite, from a sender whose own key's version is not known.
    pub fn new(conversation: ConversationId, peer: PeerKey, plaintext: &'a [u8]) -> Self {
        Self { conversation, peer, own_key_version: 0, suite: Suite::default(), plaintext }
    }
}

impl OutgoingMessage {
    /// Encrypts a message, and names it `id`. For a new one that is a [fresh id](ClientMessageId::generate).
    ///
    /// An id may be used again for one reason: the server answered that the key is stale, which means that
    /// nothing is stored under the id.
    ///
    /// # Errors
    ///
    /// [`SealError`].
    pub fn seal(
        identity: &Identity,
        message: &NewMessage<'_>,
        id: ClientMessageId,
        sent_at: u64,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, SealError> {
        let NewMessage { conversation, peer, own_key_version, suite, plaintext } = message;
        let context = Context::new(*conversation, identity.public_key(), peer.user())
            .map_err(|SameParty| SealError::NotTheSender)?;
        let versions = KeyVersions { sender: *own_key_version, recipient: peer.version().unwrap_or(0) };
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
