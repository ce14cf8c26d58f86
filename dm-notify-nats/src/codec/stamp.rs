//! Stamps, which identify frames, and nonces, which identify requests.

use std::fmt;

use dm_core::Timestamp;
use dm_core::entropy::{Entropy as _, OsEntropy};

/// The time and the number of a frame, by which replays are recognized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The time of sending, by the sender's clock.
    pub(crate) at: Timestamp,
    /// The number of the frame. The sender numbers its frames with a stamp in ascending order.
    pub(crate) number: u64,
}

/// A random value that identifies a request among the requests of all nodes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Nonce(pub(super) [u8; 16]);

/// The error of bytes that are not a frame of this version.
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
