//! Names: of conversations, messages and devices.

use std::{fmt, str::FromStr};

use uuid::Uuid;

use crate::entropy::{Entropy, EntropyError};

/// Names a conversation. Made by the server, opaque to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConversationId(Uuid);

impl ConversationId {
    /// The id as the server wrote it.
    pub const fn new(id: Uuid) -> Self {
        Self(id)
    }

    /// The id as a UUID; its 16 bytes in network order are what the suites bind.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names one send, chosen by the sender: a retry carries the same one, so that the server stores the message once.
///
/// Suite 1 also carries it inside the encryption, so that a receiver drops a message that a server repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientMessageId(Uuid);

impl ClientMessageId {
    /// An id made earlier, for a retry.
    pub const fn new(id: Uuid) -> Self {
        Self(id)
    }

    /// A fresh random id (UUID version 4, RFC 9562 section 5.4), for a new message.
    ///
    /// # Errors
    ///
    /// [`EntropyError`] if `entropy` failed.
    pub fn generate(entropy: &mut dyn Entropy) -> Result<Self, EntropyError> {
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes)?;
        Ok(Self(uuid::Builder::from_random_bytes(bytes).into_uuid()))
    }

    /// The id as a UUID.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for ClientMessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names a stored message. Made by the server, opaque to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(Uuid);

impl MessageId {
    /// The id as the server wrote it.
    pub const fn new(id: Uuid) -> Self {
        Self(id)
    }

    /// The id as a UUID.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names one of the user's devices: 1 to 64 of `A-Z a-z 0-9 . _ -`.
///
/// The server keeps a cursor per device, so a device keeps its name for as long as it lives.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Device(String);

impl Device {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Device {
    type Err = InvalidDevice;

    fn from_str(text: &str) -> Result<Self, InvalidDevice> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if (1..=64).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidDevice)
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text does not name a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a device is named with 1 to 64 of A-Z a-z 0-9 . _ -")]
pub struct InvalidDevice;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::OsEntropy;

    #[test]
    fn a_generated_id_is_a_random_uuid_and_never_the_same() {
        let first = ClientMessageId::generate(&mut OsEntropy).unwrap();
        let second = ClientMessageId::generate(&mut OsEntropy).unwrap();
        assert_eq!(first.uuid().get_version_num(), 4);
        assert_ne!(first, second);
    }

    #[test]
    fn a_device_is_named_with_safe_characters_only() {
        for name in ["a", "Laptop-2.home_office", &"x".repeat(64)] {
            assert_eq!(name.parse::<Device>().unwrap().as_str(), name);
        }
        for name in ["", "a b", "a/b", "a\n", "é", &"x".repeat(65)] {
            assert_eq!(name.parse::<Device>(), Err(InvalidDevice));
        }
    }
}
