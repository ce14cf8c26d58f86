//! The suites, and their tags.

use super::error::OpenError;
#[cfg(doc)]
use super::{suite0, suite1};

/// A way to encrypt messages. They are ordered by what they bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
pub enum Suite {
    /// [`suite0`]: understood by every client, binds nothing.
    Zero,
    /// [`suite1`]: bound to conversation, direction, key versions and message id.
    #[default]
    One,
}

impl Suite {
    /// The suite of a message's plaintext tag; a message without a tag has tag 0.
    ///
    /// # Errors
    ///
    /// [`OpenError::UnknownSuite`] for a tag this version does not know.
    pub const fn from_tag(tag: u32) -> Result<Self, OpenError> {
        match tag {
            0 => Ok(Self::Zero),
            1 => Ok(Self::One),
            _ => Err(OpenError::UnknownSuite(tag)),
        }
    }

    /// The tag to send beside the ciphertext.
    pub const fn tag(self) -> u32 {
        match self {
            Self::Zero => 0,
            Self::One => 1,
        }
    }
}
