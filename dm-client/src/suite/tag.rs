//! [`Suite`]: the cipher suites and their suite tags.

use super::error::OpenError;
#[cfg(doc)]
use super::{suite0, suite1};

/// A cipher suite. The order of the values is their strength: a suite that binds a message to more
/// fields is greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Suite {
    /// [`suite0`]: known to every client; binds a message only to the two key pairs.
    Zero,
    /// [`suite1`]: also binds a message to conversation, direction, key versions and message id.
    #[default]
    One,
}

impl Suite {
    /// The suite with the suite tag `tag`. The tag of a message without one is 0.
    ///
    /// # Errors
    ///
    /// [`OpenError::UnknownSuite`] if this version of the library does not know the tag.
    pub const fn from_tag(tag: u32) -> Result<Self, OpenError> {
        match tag {
            0 => Ok(Self::Zero),
            1 => Ok(Self::One),
            _ => Err(OpenError::UnknownSuite(tag)),
        }
    }

    /// The suite tag, which is sent beside the ciphertext.
    pub const fn tag(self) -> u32 {
        match self {
            Self::Zero => 0,
            Self::One => 1,
        }
    }
}
