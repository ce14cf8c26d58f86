//! [`UserHead`] and [`ConversationHead`]: the fields of a user and of a conversation that a send
//! needs.

use std::sync::Arc;

use dm_core::store::{
    Counts, CursorProof, Gate, InboxSeq, Participants, Refusal, ServerSequence, Side, Tag, UserGate, UserId,
};

use crate::codec::{ConversationDetails, ConversationNote, FloorRow, Note};

/// The head of a user: the fields that appending to the user's inbox needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UserHead {
    pub(crate) user_ref: u32,
    /// The number of the newest entry; zero before the first.
    pub(crate) head: InboxSeq,
    /// The number of the newest entry that expired; zero before the first.
    pub(crate) floor: InboxSeq,
    /// The proof of that entry, which a note has to keep.
    pub(crate) proof: Option<CursorProof>,
    /// The tag of the user's fence.
    pub(crate) fence: Option<Tag>,
    is_closed: bool,
    /// Whether the tables have a note of this head.
    pub(crate) is_noted: bool,
    /// The ceiling of the user's gate. The largest number stands for none, which is the same,
    /// because no entry has a larger number. An `Option` would take 8 bytes more.
    ceiling: InboxSeq,
}

impl UserHead {
    /// A user without entries.
    pub(crate) const fn new(user_ref: u32) -> Self {
        Self {
            user_ref,
            head: InboxSeq::ZERO,
            floor: InboxSeq::ZERO,
            proof: None,
            fence: None,
            is_closed: false,
            is_noted: false,
            ceiling: InboxSeq::new(u64::MAX),
        }
    }

    /// The head of a user with this row, whose newest entry has the number `head`.
    pub(crate) fn from_row(user_ref: u32, row: FloorRow, head: InboxSeq) -> Self {
        let FloorRow { floor, note, proof, fence, gate } = row;
        let is_noted = note.is_some_and(|note| note.number == head.get());
        Self { head, floor, proof, fence, is_noted, ..Self::new(user_ref) }.with_gate(gate)
    }

    /// The row of the user, with a note of the newest number.
    pub(crate) fn to_row(self, note: Option<Note>) -> FloorRow {
        let Self { floor, proof, fence, .. } = self;
        FloorRow { floor, note, proof, fence, gate: self.gate() }
    }

    /// Whether the inbox has no entries.
    pub(crate) fn is_empty(self) -> bool {
        self.head == self.floor
    }

    pub(crate) fn gate(self) -> UserGate {
        let ceiling = (self.ceiling != InboxSeq::new(u64::MAX)).then_some(self.ceiling);
        UserGate { is_closed: self.is_closed, ceiling }
    }

    pub(crate) fn with_gate(self, gate: UserGate) -> Self {
        let ceiling = gate.ceiling.unwrap_or(InboxSeq::new(u64::MAX));
        Self { is_closed: gate.is_closed, ceiling, ..self }
    }

    /// Checks that the gate of the user lets a message through that appends an entry.
    pub(crate) fn check_message(self, user: UserId) -> Result<(), Refusal> {
        self.gate().check_message(user, self.head.next())
    }
}

/// The head of a conversation: the fields that appending to the conversation needs.
#[derive(Clone, Debug)]
pub(crate) struct ConversationHead {
    pub(crate) conversation_ref: u32,
    /// The refs of the participants, in the order of `participants`.
    pub(crate) refs: [u32; 2],
    pub(crate) participants: Participants,
    /// The number of the newest message; zero before the first.
    pub(crate) head: ServerSequence,
    /// The counts with the newest message.
    pub(crate) counts: Counts,
    /// The tag of the conversation's fence.
    pub(crate) fence: Option<Tag>,
    /// The gate of the pair; `None` for one that lets everything through.
    gate: Option<Arc<Gate>>,
    /// Whether the tables have a note of this head.
    pub(crate) is_noted: bool,
}

impl ConversationHead {
    /// The head of a conversation with these details, whose newest message has the number `head`
    /// and the counts `counts`.
    pub(crate) fn from_details(
        conversation_ref: u32,
        details: ConversationDetails,
        head: ServerSequence,
        counts: Counts,
    ) -> Self {
        let ConversationDetails { refs, participants, note, fence, gate } = details;
        let is_noted = note.is_some_and(|note| note.note.number == head.get());
        Self { conversation_ref, refs, participants, head, counts, fence, gate: None, is_noted }
            .with_gate(gate)
    }

    /// The details of the conversation, with a note of the newest number.
    pub(crate) fn to_details(&self, note: Option<Note>) -> ConversationDetails {
        let Self { refs, participants, fence, counts, .. } = *self;
        let note = note.map(|note| ConversationNote { note, counts });
        ConversationDetails { refs, participants, note, fence, gate: self.gate() }
    }

    pub(crate) fn gate(&self) -> Gate {
        self.gate.as_deref().copied().unwrap_or_default()
    }

    pub(crate) fn with_gate(self, gate: Gate) -> Self {
        Self { gate: (gate != Gate::default()).then(|| Arc::new(gate)), ..self }
    }

    /// Checks that the gate of the pair lets a message through. `after` has the counts with it.
    pub(crate) fn check_message(&self, sender: Side, after: &Counts) -> Result<(), Refusal> {
        self.gate.as_ref().map_or(Ok(()), |gate| gate.check_message(sender, after))
    }
}
