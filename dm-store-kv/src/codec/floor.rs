//! The rows of `floors`, and notes. A *note* is a copy of the newest number of a conversation or of
//! an inbox. With a valid note, no walk to the last row is needed to find this number.

use dm_core::store::{CursorProof, InboxSeq, Tag, UserGate};

use crate::codec::fields::Fields;
use crate::failure::Failure;

/// A note: the number of a conversation's newest message or of an inbox's newest entry, when the
/// note was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// The number of the epoch in which the note was written; at least 1.
    pub(crate) epoch: u32,
    pub(crate) number: u64,
}

impl Note {
    pub(super) fn encode_to(self, value: &mut Vec<u8>) {
        value.extend(self.epoch.to_be_bytes());
        value.extend(self.number.to_be_bytes());
    }

    /// Appends a note, or zeros if there is none.
    pub(super) fn encode_optional(note: Option<Self>, value: &mut Vec<u8>) {
        note.unwrap_or(Self { epoch: 0, number: 0 }).encode_to(value);
    }

    /// Decodes a note; `None` for zeros.
    pub(super) fn decode_optional(value: &mut Fields<'_>) -> Result<Option<Self>, Failure> {
        let note = Self { epoch: value.u32()?, number: value.u64()? };
        Ok((note.epoch > 0).then_some(note))
    }
}

/// A row of `floors`: the facts about a user's inbox that appending to it needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FloorRow {
    /// The number of the newest entry that expired, zero before the first one expires.
    pub(crate) floor: InboxSeq,
    /// A note of the newest entry's number. This entry may have expired since.
    pub(crate) note: Option<Note>,
    /// The proof of the newest entry that expired; `None` if none did since proofs are kept.
    pub(crate) proof: Option<CursorProof>,
    /// The tag of the user's fence.
    pub(crate) fence: Option<Tag>,
    pub(crate) gate: UserGate,
}

// The flags of the fields that are present.
const PROOF: u8 = 1;
const FENCE: u8 = 2;
const CLOSED: u8 = 4;
const CEILING: u8 = 8;

impl FloorRow {
    pub(crate) fn encode(self) -> Vec<u8> {
        let Self { floor, note, proof, fence, gate } = self;
        let mut value = Vec::with_capacity(56);
        value.extend(floor.get().to_be_bytes());
        let flag = |is_present: bool, bit: u8| if is_present { bit } else { 0 };
        let flags = flag(proof.is_some(), PROOF)
            | flag(fence.is_some(), FENCE)
            | flag(gate.is_closed, CLOSED)
            | flag(gate.ceiling.is_some(), CEILING);
        if flags == 0 {
            if let Some(note) = note {
                note.encode_to(&mut value);
            }
            return value;
        }
        Note::encode_optional(note, &mut value);
        value.push(flags);
        if let Some(proof) = proof {
            value.extend(proof.get().to_be_bytes());
        }
        if let Some(tag) = fence {
            value.extend(tag.as_bytes());
        }
        if let Some(ceiling) = gate.ceiling {
            value.extend(ceiling.get().to_be_bytes());
        }
        value
    }

    pub(crate) fn decode(mut value: Fields<'_>) -> Result<Self, Failure> {
        let mut row = Self { floor: value.seq()?, ..Self::default() };
        if value.is_empty() {
            return Ok(row);
        }
        row.note = Note::decode_optional(&mut value)?;
        if value.is_empty() {
            return Ok(row);
        }
        let flags = value.u8()?;
        if flags == 0 || flags > PROOF | FENCE | CLOSED | CEILING {
            return Err(Failure::Damaged("the row of an inbox has unknown flags"));
        }
        if flags & PROOF != 0 {
            row.proof = Some(CursorProof::from_stored(value.u64()?));
        }
        if flags & FENCE != 0 {
            row.fence = Some(value.tag()?);
        }
        row.gate.is_closed = flags & CLOSED != 0;
        if flags & CEILING != 0 {
            row.gate.ceiling = Some(value.seq()?);
        }
        value.last(|_| Ok(row))
    }
}
