//! The ids a ciphertext is bound to.

use std::fmt;

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
}
