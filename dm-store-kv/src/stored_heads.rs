//! Looking up heads in the tables, and writing notes of their newest numbers
//! ([`epoch`](crate::epoch)).
//!
//! A note that is not valid is still a lower bound of the newest number, because a newest number
//! only rises. In most cases the note equals the newest number. So a look-up first checks whether
//! the two numbers above the note exist, and walks to the last row only if both exist.

use dm_core::store::{ConversationId, Counts, Gate, InboxSeq, Participants, ServerSequence, UserId};

use crate::codec::{
    ConversationDetails, ConversationIdRow, ConversationNote, ConversationRow, Fields, FloorRow, Note,
    SequenceRow, log_key, participants,
};
use crate::epoch::Epoch;
use crate::failure::Failure;
use crate::head::{ConversationHead, UserHead};
use crate::rows::{Changes, Rows, RowsExt as _};
use crate::tables::Tables;

impl<T: Rows> Tables<T> {
    /// The ref of a user; `None` if the user has none.
    pub(crate) fn user_ref(&self, user: UserId) -> Result<Option<u32>, Failure> {
        self.user_ids.find(user.as_bytes(), |value| value.last(Fields::u32))
    }

    /// The head of the user that `user_ref` stands for. Without an `epoch`, no note counts as
    /// valid.
    pub(crate) fn user_head(&self, user_ref: u32, epoch: Option<Epoch>) -> Result<UserHead, Failure> {
        let row = self.floor_row(user_ref)?;
        let newest = newest_number(&self.inbox, user_ref, row.floor.get(), (row.note, epoch))?;
        Ok(UserHead::from_row(user_ref, row, InboxSeq::new(newest)))
    }

    /// The head of a conversation; `None` if no conversation has this id. Without an `epoch`, no
    /// note counts as valid.
    pub(crate) fn conversation_head(
        &self,
        id: ConversationId,
        epoch: Option<Epoch>,
    ) -> Result<Option<ConversationHead>, Failure> {
        let Some(ConversationIdRow { conversation_ref, details }) = self.conversation_id_row(id)? else {
            return Ok(None);
        };
        let details = match details {
            Some(details) => details,
            None => self.details(conversation_ref)?,
        };
        let (newest, counts) = newest_counts(&self.sequence, conversation_ref, (details.note, epoch))?;
        let head = ServerSequence::new(newest);
        Ok(Some(ConversationHead::from_details(conversation_ref, details, head, counts)))
    }

    /// The user that `user_ref` stands for. The ref must exist.
    pub(crate) fn user_by_ref(&self, user_ref: u32) -> Result<UserId, Failure> {
        // The user's revisions may follow.
        self.users
            .find(&user_ref.to_be_bytes(), |mut value| value.user())?
            .ok_or(Failure::Damaged("a user's ref has no row in the table `users`"))
    }

    /// The ref of a conversation; `None` if no conversation has this id.
    pub(crate) fn conversation_ref(&self, id: ConversationId) -> Result<Option<u32>, Failure> {
        Ok(self.conversation_id_row(id)?.map(|row| row.conversation_ref))
    }

    /// The row of a conversation's id; `None` if no conversation has this id.
    pub(crate) fn conversation_id_row(
        &self,
        id: ConversationId,
    ) -> Result<Option<ConversationIdRow>, Failure> {
        self.conversation_ids.find(id.as_bytes(), ConversationIdRow::decode)
    }

    /// The row of the conversation that `conversation_ref` stands for. The ref must exist.
    pub(crate) fn conversation_row(&self, conversation_ref: u32) -> Result<ConversationRow, Failure> {
        self.conversations
            .find(&conversation_ref.to_be_bytes(), ConversationRow::decode)?
            .ok_or(Failure::Damaged("a conversation's ref has no row in the table `conversations`"))
    }

    /// The participants of a conversation, whose refs are in `row`.
    pub(crate) fn participants(&self, row: ConversationRow) -> Result<Participants, Failure> {
        participants([self.user_by_ref(row.a)?, self.user_by_ref(row.b)?])
    }

    /// Reads the details of a conversation from other tables, because its row of schema version 1
    /// in `conversation_ids` has only the ref.
    fn details(&self, conversation_ref: u32) -> Result<ConversationDetails, Failure> {
        let row = self.conversation_row(conversation_ref)?;
        let participants = self.participants(row)?;
        let (note, fence, gate) = (None, None, Gate::default());
        Ok(ConversationDetails { refs: [row.a, row.b], participants, note, fence, gate })
    }

    /// The number of the newest entry of a user's inbox that expired; zero before the first.
    pub(crate) fn floor(&self, user_ref: u32) -> Result<InboxSeq, Failure> {
        Ok(self.floor_row(user_ref)?.floor)
    }

    /// The row of a user in `floors`. If there is none, the result is the default: floor zero,
    /// without a note.
    pub(crate) fn floor_row(&self, user_ref: u32) -> Result<FloorRow, Failure> {
        Ok(self.floors.find(&user_ref.to_be_bytes(), FloorRow::decode)?.unwrap_or_default())
    }
}

impl<T: Changes> Tables<T> {
    /// Writes the row of a user in `floors`.
    pub(crate) fn insert_user_head(&mut self, user: UserHead, note: Option<Note>) -> Result<(), Failure> {
        self.floors.insert(&user.user_ref.to_be_bytes(), &user.to_row(note).encode())
    }

    /// Writes the row of a conversation in `conversation_ids`.
    pub(crate) fn insert_conversation_head(
        &mut self,
        id: ConversationId,
        conversation: &ConversationHead,
        note: Option<Note>,
    ) -> Result<(), Failure> {
        let (conversation_ref, details) = (conversation.conversation_ref, conversation.to_details(note));
        let row = ConversationIdRow { conversation_ref, details: Some(details) };
        self.conversation_ids.insert(id.as_bytes(), &row.encode())
    }
}

/// The newest number of an owner in a log, which is the table `sequence` or `inbox`. The owner is
/// the ref of a conversation or a user. Rows up to the number `floor` may be removed. If there is
/// no row above `floor`, then `floor` is the newest number.
fn newest_number(
    log: &impl Rows,
    owner: u32,
    floor: u64,
    (note, epoch): (Option<Note>, Option<Epoch>),
) -> Result<u64, Failure> {
    if let Some(note) = note {
        let number = note.number.max(floor);
        if epoch.is_some_and(|epoch| epoch.trusts(note)) {
            return Ok(number);
        }
        // Checks whether the two numbers above the note exist.
        for number in number..=number.saturating_add(1) {
            if log.get(&log_key(owner, number.saturating_add(1)))?.is_none() {
                return Ok(number);
            }
        }
    }
    Ok(log.last_number(owner, floor)?.unwrap_or(floor))
}

/// The number of a conversation's newest message, and the counts with that message. They are zero
/// before the first message.
fn newest_counts(
    sequence: &impl Rows,
    conversation_ref: u32,
    (note, epoch): (Option<ConversationNote>, Option<Epoch>),
) -> Result<(u64, Counts), Failure> {
    if let Some(ConversationNote { note, counts }) = note {
        let mut newest = (note.number, counts);
        if epoch.is_some_and(|epoch| epoch.trusts(note)) {
            return Ok(newest);
        }
        // Checks whether the two numbers above the note exist.
        for number in [note.number.saturating_add(1), note.number.saturating_add(2)] {
            match sequence.find(&log_key(conversation_ref, number), SequenceRow::decode)? {
                Some(row) => newest = (number, row.counts),
                None => return Ok(newest),
            }
        }
    }
    let last = sequence.last_row(conversation_ref, 0, |number, value| {
        Ok((number, SequenceRow::decode(Fields::new(value))?.counts))
    })?;
    Ok(last.unwrap_or_default())
}
