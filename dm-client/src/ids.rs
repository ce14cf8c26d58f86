//! [`ConversationId`], [`MessageId`] and [`ClientMessageId`]: ids that are UUIDs.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::entropy::{Entropy, EntropyError};

/// The text is not the hyphenated form of a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id is written as a hyphenated UUID")]
pub struct InvalidId;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// An id from its 16 bytes, in network order.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The 16 bytes of the id, in network order.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse_uuid(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

uuid_id! {
    /// The id of a conversation. The server makes the id, and a client only compares it. [Suite
    /// 1](crate::suite::suite1) binds a message to the 16 bytes of this id.
    ConversationId
}

uuid_id! {
    /// The id of a stored message. The server makes the id, and a client only compares it.
    MessageId
}

uuid_id! {
    /// The id that the sender gives a message before the first attempt to send it. Every retry has
    /// the same id, so that the server stores the message once.
    ///
    /// In [suite 1](crate::suite::suite1), this id is also in the authenticated header of the
    /// payload. A receiver can therefore refuse a message that the server repeats.
    ClientMessageId
}

impl ClientMessageId {
    /// A fresh random id (UUID version 4; RFC 9562, section 5.4), for a new message.
    ///
    /// # Errors
    ///
    /// [`EntropyError`] if `entropy` fails.
    pub fn generate(entropy: &mut dyn Entropy) -> Result<Self, EntropyError> {
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes)?;
        Ok(Self(uuid::Builder::from_random_bytes(bytes).into_uuid()))
    }
}

/// Parses the hyphenated text form of a UUID, in upper or lower case. Refuses the other forms that
/// the `uuid` crate accepts.
fn parse_uuid(text: &str) -> Result<Uuid, InvalidId> {
    if text.len() != 36 {
        return Err(InvalidId);
    }
    Uuid::try_parse(text).map_err(|_| InvalidId)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::OsEntropy;

    #[test]
    fn a_generated_id_is_a_random_uuid_and_differs_from_the_one_before() {
        let first = ClientMessageId::generate(&mut OsEntropy).unwrap();
        let second = ClientMessageId::generate(&mut OsEntropy).unwrap();
        assert_eq!(Uuid::from_bytes(*first.as_bytes()).get_version_num(), 4);
        assert_ne!(first, second);
    }

    #[test]
    fn only_the_hyphenated_form_is_an_id() {
        let id = "0190b6a0-0000-7000-8000-000000000001";
        assert_eq!(id.to_uppercase().parse::<MessageId>().unwrap().to_string(), id);
        for text in ["", "0190b6a0000070008000000000000001", "{0190b6a0-0000-7000-8000-000000000001}"] {
            assert_eq!(text.parse::<MessageId>(), Err(InvalidId));
        }
    }
}
