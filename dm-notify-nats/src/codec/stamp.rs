//! Stamps and nonces, which tell frames and questions apart.

use std::fmt;

use dm_core::Timestamp;
use dm_core::entropy::{Entropy as _, OsEntropy};

/// Tells a frame from the sender's others, and when it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) at: Timestamp,
    pub(crate) count: u64,
}

/// Tells a question from all others, of all nodes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Nonce(pub(super) [u8; 16]);

/// Bytes that are none of these, or of another version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Undecodable;

impl Nonce {
    /// One that no question had before.
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
