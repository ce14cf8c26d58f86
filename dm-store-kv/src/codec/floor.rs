//! The rows of `floors`, and notes. A *note* is a copy of the newest number of a conversation or of
//! an inbox. With a valid note, no walk to the last row is needed to find this number.

use dm_core::store::InboxSeq;

use crate::codec::fields::Fields;
use crate::failure::Failure;

/// A note: the number of a conversation's newest message or of an inbox's newest entry, when the
/// note was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// The number of the epoch in which the note was written.
    pub(crate) epoch: u32,
    pub(crate) number: u64,
}

impl Note {
    pub(crate) fn encode_to(self, value: &mut Vec<u8>) {
        value.extend(self.epoch.to_be_bytes());
        value.extend(self.number.to_be_bytes());
    }

    pub(crate) fn decode(value: &mut Fields<'_>) -> Result<Self, Failure> {
        Ok(Self { epoch: value.u32()?, number: value.u64()? })
    }
}

/// A row of `floors`: the floor of a user's inbox, and a note of its newest number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FloorRow {
    /// The number of the newest entry that expired, zero before the first one expires.
    pub(crate) floor: InboxSeq,
    /// A note of the newest entry's number. This entry may have expired since.
    pub(crate) note: Option<Note>,
}

impl FloorRow {
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut value = Vec::with_capacity(20);
        value.extend(self.floor.get().to_be_bytes());
        if let Some(note) = self.note {
            note.encode_to(&mut value);
        }
        value
    }

    pub(crate) fn decode(mut value: Fields<'_>) -> Result<Self, Failure> {
        Ok(Self { floor: value.seq()?, note: value.optional_last(Note::decode)? })
    }
}
