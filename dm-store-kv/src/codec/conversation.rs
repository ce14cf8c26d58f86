//! The rows of `conversations`, `conversation_ids` and `sequence`.

use dm_core::store::{ConversationId, Participants, Timestamp, UserId};

use crate::codec::fields::Fields;
use crate::codec::floor::Note;
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

/// The second part of a row of `conversation_ids`: the users of the conversation.
#[derive(Clone, Copy)]
pub(crate) struct ConversationDetails {
    /// The refs of `a` and `b`.
    pub(crate) refs: [u32; 2],
    pub(crate) participants: Participants,
    /// A note of the newest message's number, which is zero before the first message. `None` if no
    /// note was written.
    pub(crate) note: Option<Note>,
}

impl ConversationIdRow {
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut value = Vec::with_capacity(88);
        value.extend(self.conversation_ref.to_be_bytes());
        if let Some(ConversationDetails { refs: [a, b], participants, note }) = self.details {
            value.extend(a.to_be_bytes());
            value.extend(b.to_be_bytes());
            value.extend(participants.a().as_bytes());
            value.extend(participants.b().as_bytes());
            if let Some(note) = note {
                note.encode_to(&mut value);
            }
        }
        value
    }

    pub(crate) fn decode(mut value: Fields<'_>) -> Result<Self, Failure> {
        let conversation_ref = value.u32()?;
        if value.is_empty() {
            return Ok(Self { conversation_ref, details: None });
        }
        let refs = [value.u32()?, value.u32()?];
        let (a, b) = (value.user()?, value.user()?);
        let participants = participants([a, b])?;
        if participants.a() != a {
            return Err(Failure::Damaged("the users of a conversation are in the wrong order"));
        }
        let note = value.optional_last(Note::decode)?;
        Ok(Self { conversation_ref, details: Some(ConversationDetails { refs, participants, note }) })
    }
}

/// The participants of a conversation, from the two users in its row, who must differ.
pub(crate) fn participants([one, other]: [UserId; 2]) -> Result<Participants, Failure> {
    Participants::new(one, other).map_err(|_| Failure::Damaged("the users of a conversation are the same"))
}

/// A row of `sequence`: the number of a message's row in `messages`, and the time at which the
/// message was received.
#[derive(Clone, Copy)]
pub(crate) struct SequenceRow {
    pub(crate) message: u64,
    pub(crate) at: Timestamp,
}

impl SequenceRow {
    pub(crate) fn encode(self) -> [u8; 16] {
        joined([self.message.to_be_bytes().as_slice(), &self.at.as_millis().to_be_bytes()])
    }

    pub(crate) fn decode(mut value: Fields<'_>) -> Result<Self, Failure> {
        Ok(Self { message: value.u64()?, at: value.last(Fields::time)? })
    }
}
