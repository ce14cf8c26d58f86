//! Stamps and nonces, which identify frames and requests.

use std::fmt;

use dm_core::Timestamp;
use dm_core::entropy::{Entropy as _, OsEntropy};

/// The sender's time of a frame, and the frame's number among all of the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) at: Timestamp,
    pub(crate) count: u64,
}

/// A random value that identifies a request among those of all nodes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Nonce(pub(super) [u8; 16]);

/// The error of bytes that are no frame of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Undecodable;

impl Nonce {
    /// A new random nonce.
    pub(crate) fn fresh() -> Self {
        let mut bytes = [0; 16];
        OsEntropy.fill(&mut bytes);
        Self(bytes)
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
