//! Floors of inboxes.

use dm_core::InboxSeq;

use crate::codec::fields::Fields;
use crate::failure::Failure;

/// The numbers of a user's inbox that are kept beside its entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FloorRow {
    /// The newest entry that expired, zero before the first.
    pub(crate) floor: InboxSeq,
    /// A number that the inbox's newest entry had at some time; it may be below the floor.
    pub(crate) head: Option<InboxSeq>,
}

impl FloorRow {
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut value = Vec::with_capacity(16);
        value.extend(self.floor.get().to_be_bytes());
        if let Some(head) = self.head {
            value.extend(head.get().to_be_bytes());
        }
        value
    }

    pub(crate) fn decode(mut value: Fields<'_>) -> Result<Self, Failure> {
        Ok(Self { floor: value.seq()?, head: value.last_if_any(Fields::seq)? })
    }
}
