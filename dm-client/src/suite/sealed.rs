//! [`Sealed`], an encrypted message, and [`Opened`], a decrypted one.

use std::fmt;

use super::aead::NONCE_LEN;
use super::context::Header;
use super::tag::Suite;

/// An encrypted message, ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The cipher suite. Its [`tag`](Suite::tag) is sent beside the payload.
    pub suite: Suite,
    /// The nonce, 24 bytes. It is sent beside the payload.
    pub nonce: [u8; NONCE_LEN],
    /// The encrypted payload; in suite 1 it begins with the header.
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
    /// The plaintext; may be empty.
    pub plaintext: Vec<u8>,
    /// The authenticated header; `None` in suite 0, which has none.
    ///
    /// Decryption alone does not detect a repeated message. A receiver must refuse a
    /// [`message_id`](Header::message_id) that it has seen from this sender, as
    /// [`Reader`](crate::Reader) does.
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
