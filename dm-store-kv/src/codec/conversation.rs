//! Conversations, and the places in their sequence.

use dm_core::{ConversationId, Timestamp};

use crate::codec::fields::Fields;
use crate::codec::keys::joined;
use crate::failure::Failure;

/// A conversation's row.
#[derive(Clone, Copy)]
pub(crate) struct ThreadRow {
    pub(crate) id: ConversationId,
    pub(crate) a: u32,
    pub(crate) b: u32,
    pub(crate) opened_at: Timestamp,
}

impl ThreadRow {
    pub(crate) fn encode(self) -> [u8; 32] {
        joined([
            self.id.as_bytes().as_slice(),
            &self.a.to_be_bytes(),
            &self.b.to_be_bytes(),
            &self.opened_at.as_millis().to_be_bytes(),
        ])
    }

    pub(crate) fn decode(mut value: Fields<'_>) -> Result<Self, Failure> {
        Ok(Self {
            id: ConversationId::from_bytes(value.bytes()?),
            a: value.u32()?,
            b: value.u32()?,
            opened_at: value.last(Fields::time)?,
        })
    }
}

/// A place in the sequence of a conversation: which message, and when it was received.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) row: u64,
    pub(crate) at: Timestamp,
}

impl Place {
    pub(crate) fn encode(self) -> [u8; 16] {
        joined([self.row.to_be_bytes().as_slice(), &self.at.as_millis().to_be_bytes()])
    }

    pub(crate) fn decode(mut value: Fields<'_>) -> Result<Self, Failure> {
        Ok(Self { row: value.u64()?, at: value.last(Fields::time)? })
    }
}
