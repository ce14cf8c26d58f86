//! The ids of conversations and messages, which are UUIDs.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::invalid::Invalid;

/// Defines the type of one kind of id. `$field` is the field's name on the wire, for errors.
macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $field:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// An id from its 16 bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The id's 16 bytes.
            #[must_use]
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
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                parse_uuid($field, text).map(Self)
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
    /// The id of a conversation: a UUIDv7 made by the service. Opaque to clients: the order of ids
    /// is not the order of conversations.
    ConversationId, "conversation_id"
}

uuid_id! {
    /// The id of a message: a UUIDv7 made by the service. Opaque to clients: the order of ids is
    /// not the order of messages.
    MessageId, "message_id"
}

uuid_id! {
    /// The id that a client chooses for a message before sending it, so that the service recognizes
    /// a second send of the same message. It may be any UUID that the sender has not used for
    /// another message.
    ClientMessageId, "client_message_id"
}

/// Parses the hyphenated text form of a UUID, in either case. The other forms that the `uuid` crate
/// parses are refused.
fn parse_uuid(field: &'static str, text: &str) -> Result<Uuid, Invalid> {
    if text.len() == 36 {
        Uuid::try_parse(text).map_err(|_| Invalid::new(field, "not a UUID"))
    } else {
        Err(Invalid::new(field, "not a UUID"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_hyphenated_form_is_an_id() {
        let id = "0190b6a0-0000-7000-8000-000000000001";
        assert_eq!(id.to_uppercase().parse::<MessageId>().unwrap().to_string(), id);
        for text in ["", "0190b6a0000070008000000000000001", "{0190b6a0-0000-7000-8000-000000000001}"] {
            assert!(text.parse::<MessageId>().is_err());
        }
    }
}
