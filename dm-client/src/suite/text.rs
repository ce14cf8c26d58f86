//! A message on either side of the encryption.

use std::fmt;

use super::{aead::NONCE_LEN, context::Header, tag::Suite};

/// An encrypted message, ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    /// How it is encrypted; its [`tag`](Suite::tag) is sent along.
    pub suite: Suite,
    /// The nonce, sent along.
    pub nonce: [u8; NONCE_LEN],
    /// The payload, which for suite 1 begins with the header.
    pub payload: Vec<u8>,
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed")
            .field("suite", &self.suite)
            .field("payload_len", &self.payload.len())
            .finish()
    }
}

/// A decrypted message.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// What the sender wrote, bytes.
    pub plaintext: Vec<u8>,
    /// What the encryption vouches for beside it; `None` in suite 0, which carries nothing.
    ///
    /// The encryption cannot know whether a message comes twice: a receiver drops a
    /// [`message_id`](Header::message_id) that it has seen from this sender.
    pub header: Option<Header>,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("plaintext_len", &self.plaintext.len())
            .field("header", &self.header)
            .finish()
    }
}
