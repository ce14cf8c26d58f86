//! Messages: a ciphertext that the server cannot read, with its sender, conversation and number.

use std::fmt;

use bytes::Bytes;

use crate::ids::{ClientMessageId, ConversationId, MessageId};
use crate::invalid::Invalid;
use crate::numbers::{SenderSequence, ServerSequence};
use crate::time::Timestamp;
use crate::user::UserId;

/// The number of a cipher suite: the encryption scheme that the sender's client says it used. The
/// server passes it on and gives it no meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Suite(pub u32);

/// An encrypted payload, with the nonce, ephemeral key and suite that the recipient needs to
/// decrypt it. `Debug` prints the length of the payload, and no bytes of payload, nonce or key.
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

    /// An encrypted payload with its nonce, and with an ephemeral public key and a suite if it has
    /// them.
    ///
    /// This does not check the size of the payload. The service checks it, against
    /// [`Config::max_payload`](crate::Config).
    ///
    /// # Errors
    /// [`Invalid`] when the payload is empty, the nonce is not 24 bytes or the ephemeral key not
    /// 32.
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

    /// The sender's ephemeral public key; `None` if the sender's suite has none.
    #[must_use]
    pub const fn ephemeral(&self) -> Option<&[u8; 32]> {
        self.ephemeral.as_ref()
    }

    /// The suite that the client named; `None` stands for the suite of [seed
    /// clients](crate#terms), which name none.
    #[must_use]
    pub const fn suite(&self) -> Option<Suite> {
        self.suite
    }

    /// The number of bytes that the ciphertext counts in a page or a batch: the length of the
    /// payload plus 56 for a nonce and an ephemeral key, even if there is no ephemeral key.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.payload.len() + Self::NONCE_LEN + Self::EPHEMERAL_LEN
    }

    /// Always false, because [`new`](Self::new) refuses an empty payload.
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

/// A message as it is stored in its conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The id.
    pub id: MessageId,
    /// The conversation that it is in.
    pub conversation: ConversationId,
    /// Its number in the conversation.
    pub sequence: ServerSequence,
    /// The user who sent it.
    pub sender: UserId,
    /// Its number among the messages of its sender in the conversation; zero if it was stored
    /// before such numbers were given.
    pub sender_sequence: SenderSequence,
    /// The id that the sender's client chose for the message; `None` if it chose none.
    pub client_id: Option<ClientMessageId>,
    /// The time by the sender's clock, which may be wrong. The service uses it only to recognize a
    /// second send of the same message.
    pub sent_at: Timestamp,
    /// The time at which the service received it.
    pub received_at: Timestamp,
    /// The encrypted payload.
    pub ciphertext: Ciphertext,
}

impl Message {
    /// The number of bytes that the message counts in a page: those of its ciphertext, and 192 for
    /// its other fields. It is about the size of the message on the wire.
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
    fn the_error_of_a_malformed_ciphertext_names_the_field() {
        let payload = || Bytes::from_static(b"x");
        let field = |result: Result<Ciphertext, Invalid>| result.unwrap_err().field();
        assert_eq!(field(Ciphertext::new(Bytes::new(), &[0; 24], None, None)), "encrypted_payload");
        assert_eq!(field(Ciphertext::new(payload(), &[0; 23], None, None)), "nonce");
        assert_eq!(field(Ciphertext::new(payload(), &[0; 25], None, None)), "nonce");
        assert_eq!(field(Ciphertext::new(payload(), &[0; 24], Some(&[0; 31]), None)), "ephemeral_pubkey");
    }
}
