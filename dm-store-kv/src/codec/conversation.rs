//! The rows of `conversations`, `conversation_ids` and `sequence`.

use dm_core::store::{ConversationId, Counts, Gate, Participants, Tag, Timestamp, UserId};

use crate::codec::fields::Fields;
use crate::codec::floor::Note;
use crate::codec::gate::{decode_gate, encode_gate};
use crate::codec::keys::joined;
use crate::failure::Failure;

/// A row of `conversations`: a conversation, with the refs of its users.
#[derive(Clone, Copy)]
pub(crate) struct ConversationRow {
    pub(crate) id: ConversationId,
    pub(crate) a: u32,
    pub(crate) b: u32,
    pub(crate) opened_at: Timestamp,
}

impl ConversationRow {
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

/// A row of `conversation_ids`: all that a send needs of a conversation, in one look-up.
#[derive(Clone, Copy)]
pub(crate) struct ConversationIdRow {
    pub(crate) conversation_ref: u32,
    /// `None` in a row of schema version 1, which has only the ref.
    pub(crate) details: Option<ConversationDetails>,
}

/// The second part of a row of `conversation_ids`: the users of the conversation, and what a send
/// compares.
#[derive(Clone, Copy)]
pub(crate) struct ConversationDetails {
    /// The refs of `a` and `b`.
    pub(crate) refs: [u32; 2],
    pub(crate) participants: Participants,
    /// `None` if no note was written.
    pub(crate) note: Option<ConversationNote>,
    /// The tag of the conversation's fence.
    pub(crate) fence: Option<Tag>,
    /// The gate of the pair.
    pub(crate) gate: Gate,
}

/// A note of a conversation: the newest message's number, which is zero before the first message,
/// and the counts with that message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConversationNote {
    pub(crate) note: Note,
    pub(crate) counts: Counts,
}

// The flags of the fields that are present.
const FENCE: u8 = 1;
const GATE: u8 = 2;
const COUNTS: u8 = 4;

impl ConversationIdRow {
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut value = Vec::with_capacity(120);
        value.extend(self.conversation_ref.to_be_bytes());
        if let Some(details) = self.details {
            details.encode_to(&mut value);
        }
        value
    }

    pub(crate) fn decode(mut value: Fields<'_>) -> Result<Self, Failure> {
        let conversation_ref = value.u32()?;
        let details = if value.is_empty() { None } else { Some(ConversationDetails::decode(value)?) };
        Ok(Self { conversation_ref, details })
    }
}

impl ConversationDetails {
    fn encode_to(self, value: &mut Vec<u8>) {
        let Self { refs: [a, b], participants, note, fence, gate } = self;
        value.extend(a.to_be_bytes());
        value.extend(b.to_be_bytes());
        value.extend(participants.a().as_bytes());
        value.extend(participants.b().as_bytes());
        let counts = note.map(|note| note.counts).unwrap_or_default();
        let flag = |is_present: bool, bit: u8| if is_present { bit } else { 0 };
        let flags = flag(fence.is_some(), FENCE)
            | flag(gate != Gate::default(), GATE)
            | flag(counts != Counts::default(), COUNTS);
        let note = note.map(|note| note.note);
        if flags == 0 {
            if let Some(note) = note {
                note.encode_to(value);
            }
            return;
        }
        Note::encode_optional(note, value);
        value.push(flags);
        if let Some(tag) = fence {
            value.extend(tag.as_bytes());
        }
        if flags & GATE != 0 {
            encode_gate(&gate, value);
        }
        if flags & COUNTS != 0 {
            counts.encode(value);
        }
    }

    fn decode(mut value: Fields<'_>) -> Result<Self, Failure> {
        let refs = [value.u32()?, value.u32()?];
        let (a, b) = (value.user()?, value.user()?);
        let participants = participants([a, b])?;
        if participants.a() != a {
            return Err(Failure::Damaged("the users of a conversation are in the wrong order"));
        }
        let mut details = Self { refs, participants, note: None, fence: None, gate: Gate::default() };
        if value.is_empty() {
            return Ok(details);
        }
        let note = Note::decode_optional(&mut value)?;
        let flags = if value.is_empty() { None } else { Some(value.u8()?) };
        if flags == Some(0) || flags > Some(FENCE | GATE | COUNTS) {
            return Err(Failure::Damaged("the row of a conversation has unknown flags"));
        }
        let flags = flags.unwrap_or(0);
        if flags & FENCE != 0 {
            details.fence = Some(value.tag()?);
        }
        if flags & GATE != 0 {
            details.gate = decode_gate(&mut value)?;
        }
        let counts = if flags & COUNTS == 0 { Counts::default() } else { value.counts()? };
        details.note = note.map(|note| ConversationNote { note, counts });
        value.last(|_| Ok(details))
    }
}

/// The participants of a conversation, from the two users in its row, who must differ.
pub(crate) fn participants([one, other]: [UserId; 2]) -> Result<Participants, Failure> {
    Participants::new(one, other).map_err(|_| Failure::Damaged("the users of a conversation are the same"))
}

/// A row of `sequence`: the number of a message's row in `messages`, the time at which the message
/// was received, and the counts of the conversation with the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SequenceRow {
    pub(crate) message: u64,
    pub(crate) at: Timestamp,
    /// The default in a row of schema version 1 or 2.
    pub(crate) counts: Counts,
}

impl SequenceRow {
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut value = Vec::with_capacity(40);
        value.extend(self.message.to_be_bytes());
        value.extend(self.at.as_millis().to_be_bytes());
        if self.counts != Counts::default() {
            self.counts.encode(&mut value);
        }
        value
    }

    pub(crate) fn decode(mut value: Fields<'_>) -> Result<Self, Failure> {
        let (message, at) = (value.u64()?, value.time()?);
        let counts = value.optional_last(Fields::counts)?.unwrap_or_default();
        Ok(Self { message, at, counts })
    }
}
