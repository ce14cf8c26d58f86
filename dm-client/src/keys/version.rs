//! [`KeyVersion`]: the version of a user's published key.

use std::fmt;

/// Version of a user's published key: 1, 2, 3 … The server adds 1 when the user publishes another
/// key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyVersion(u32);

impl KeyVersion {
    /// The version of a user's first key.
    pub const FIRST: Self = Self(1);

    /// A version from its number in an answer or a header; `None` for zero. On the wire, zero means
    /// that the version is not known.
    pub const fn new(version: u32) -> Option<Self> {
        if version == 0 { None } else { Some(Self(version)) }
    }

    /// The number, at least 1.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for KeyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
