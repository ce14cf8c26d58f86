//! [`DeviceId`]: the id of one of a user's devices.

use std::fmt;
use std::str::FromStr;

/// The id of one of the user's devices: 1 to 64 characters of `A-Z a-z 0-9 . _ -`.
///
/// The server keeps a cursor for each device (the number up to which the device has acknowledged
/// its user's inbox). So a device must keep its id over restarts of the program.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(String);

/// The text is not a device id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a device id has 1 to 64 characters of A-Z a-z 0-9 . _ -")]
pub struct InvalidDeviceId;

impl DeviceId {
    /// Maximum length of the text form, in bytes.
    pub const MAX_LEN: usize = 64;

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DeviceId {
    type Err = InvalidDeviceId;

    fn from_str(text: &str) -> Result<Self, InvalidDeviceId> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if (1..=Self::MAX_LEN).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidDeviceId)
        }
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceId({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_outside_the_alphabet_or_the_length_are_refused() {
        for text in ["a", "Laptop-2.home_office", &"x".repeat(64)] {
            assert_eq!(text.parse::<DeviceId>().unwrap().as_str(), text);
        }
        for text in ["", "a b", "a/b", "a\n", "é", &"x".repeat(65)] {
            assert_eq!(text.parse::<DeviceId>(), Err(InvalidDeviceId));
        }
    }
}
