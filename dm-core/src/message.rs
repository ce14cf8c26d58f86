//! Messages: ciphertext the server cannot read, and where it stands.

use std::fmt;

use bytes::Bytes;

use crate::ids::{ClientMessageId, ConversationId, MessageId};
use crate::invalid::Invalid;
use crate::numbers::ServerSequence;
use crate::time::Timestamp;
use crate::user::UserId;

/// Which cipher suite a client says it used. The server carries the tag and gives it no meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Suite(pub u32);

/// What a client encrypted: opaque bytes and what the recipient needs to open them. `Debug` prints lengths only.
#[derive(Clone, PartialEq, Eq)]
pub struct Ciphertext {
    payload: Bytes,
    nonce: [u8; 24],
    ephemeral: Option<[u8; 32]>,
    suite: Option<Suite>,
}

impl Ciphertext {
    /// Length of a nonce in bytes (XChaCha20-Poly1305).
    pub const NONCE_LEN: usize = 24;
    /// Length of an ephemeral public key in bytes (X25519).
    pub const EPHEMERAL_LEN: usize = 32;

    /// Takes an encrypted payload with its nonce, optional ephemeral public key and optional suite tag.
    ///
    /// How large a payload may be is the service's [`Config`](crate::Config) to say.
    ///
    /// # Errors
    /// [`Invalid`] when the payload is empty, the nonce is not 24 bytes or the ephemeral key not 32.
    pub fn new(
        payload: Bytes,
        nonce: &[u8],
        ephemeral: Option<&[u8]>,
        suite: Option<Suite>,
    ) -> Result<Self, Invalid> {
        if payload.is_empty() {
            return Err(Invalid::new("encrypted_payload", "empty"));
        }
        let nonce = nonce.try_into().map_err(|_| Invalid::new("nonce", "not 24 bytes"))?;
        let ephemeral = ephemeral
            .map(|key| key.try_into().map_err(|_| Invalid::new("ephemeral_pubkey", "not 32 bytes")))
            .transpose()?;
        Ok(Self { payload, nonce, ephemeral, suite })
    }

    /// The encrypted payload.
    #[must_use]
    pub const fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// The nonce.
    #[must_use]
    pub const fn nonce(&self) -> &[u8; 24] {
        &self.nonce
    }

    /// The sender's ephemeral public key, where its suite has one.
    #[must_use]
    pub const fn ephemeral(&self) -> Option<&[u8; 32]> {
        self.ephemeral.as_ref()
    }

    /// The suite the client named; `None` is the seed's.
    #[must_use]
    pub const fn suite(&self) -> Option<Suite> {
        self.suite
    }

    /// Bytes this costs in a page or a batch.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.payload.len() + Self::NONCE_LEN + Self::EPHEMERAL_LEN
    }

    /// Never true: an empty payload is refused.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }
}

impl fmt::Debug for Ciphertext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ciphertext")
            .field("payload_len", &self.payload.len())
            .field("ephemeral", &self.ephemeral.is_some())
            .field("suite", &self.suite)
            .finish_non_exhaustive()
    }
}

/// A message as it stands in its conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its name.
    pub id: MessageId,
    /// The conversation it is in.
    pub conversation: ConversationId,
    /// Its place there.
    pub sequence: ServerSequence,
    /// Who sent it.
    pub sender: UserId,
    /// The sender's name for it, if they gave one.
    pub client_id: Option<ClientMessageId>,
    /// What the sender's clock said. Opaque: nothing is decided by it.
    pub sent_at: Timestamp,
    /// When the service received it.
    pub received_at: Timestamp,
    /// What the sender encrypted.
    pub ciphertext: Ciphertext,
}

impl Message {
    /// Bytes the message costs in a page, roughly as it goes over the wire.
    #[must_use]
    pub const fn cost(&self) -> usize {
        self.ciphertext.len() + 192
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_lengths_and_never_bytes() {
        let ciphertext =
            Ciphertext::new(Bytes::from_static(b"CANARY"), &[0x5a; 24], Some(&[0x5b; 32]), None).unwrap();
        let shown = format!("{ciphertext:?} {ciphertext:#?}");
        assert!(shown.contains("payload_len: 6"));
        for secret in ["CANARY", "67", "65, 78", "90, 90", "5a5a", "91, 91"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }

    #[test]
    fn a_ciphertext_of_wrong_shape_is_refused_naming_the_field() {
        let payload = || Bytes::from_static(b"x");
        let field = |result: Result<Ciphertext, Invalid>| result.unwrap_err().field();
        assert_eq!(field(Ciphertext::new(Bytes::new(), &[0; 24], None, None)), "encrypted_payload");
        assert_eq!(field(Ciphertext::new(payload(), &[0; 23], None, None)), "nonce");
        assert_eq!(field(Ciphertext::new(payload(), &[0; 25], None, None)), "nonce");
        assert_eq!(field(Ciphertext::new(payload(), &[0; 24], Some(&[0; 31]), None)), "ephemeral_pubkey");
    }
}
