//! The cipher suites and their tags.

use super::error::OpenError;
#[cfg(doc)]
use super::{suite0, suite1};

/// A cipher suite. A suite that binds a message to more is greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Suite {
    /// [`suite0`]: known to every client; binds a message to the two key pairs only.
    Zero,
    /// [`suite1`]: binds a message to conversation, direction, key versions and message id.
    #[default]
    One,
}

impl Suite {
    /// The suite with a tag. A message without a tag has tag 0.
    ///
    /// # Errors
    ///
    /// [`OpenError::UnknownSuite`] for a tag that this version of the library does not know.
    pub const fn from_tag(tag: u32) -> Result<Self, OpenError> {
        match tag {
            0 => Ok(Self::Zero),
            1 => Ok(Self::One),
            _ => Err(OpenError::UnknownSuite(tag)),
        }
    }

    /// The tag that is sent beside the ciphertext.
    pub const fn tag(self) -> u32 {
        match self {
            Self::Zero => 0,
            Self::One => 1,
        }
    }
}
