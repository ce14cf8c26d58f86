//! Looking up heads in the tables, and writing notes of their newest numbers
//! ([`epoch`](crate::epoch)).
//!
//! A note that is not valid is still a lower bound of the newest number, because a newest number
//! only rises. In most cases the note equals the newest number. So a look-up first checks whether
//! the two numbers above the note exist, and walks to the last row only if both exist.

use dm_core::store::{ConversationId, InboxSeq, Participants, ServerSequence, UserId};

use crate::codec::{
    ConversationDetails, ConversationIdRow, ConversationRow, Fields, FloorRow, Note, log_key, participants,
};
use crate::epoch::Epoch;
use crate::failure::Failure;
use crate::heads::{ConversationHead, UserHead};
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
        let FloorRow { floor, note } = self.floor_row(user_ref)?;
        let newest = newest_number(&self.inbox, user_ref, floor.get(), (note, epoch))?;
        let is_noted = note.is_some_and(|note| note.number == newest);
        Ok(UserHead { user_ref, head: InboxSeq::new(newest), floor, is_noted })
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
        let ConversationDetails { refs, participants, note } = match details {
            Some(details) => details,
            None => self.details(conversation_ref)?,
        };
        let newest = newest_number(&self.sequence, conversation_ref, 0, (note, epoch))?;
        let is_noted = note.is_some_and(|note| note.number == newest);
        Ok(Some(ConversationHead {
            conversation_ref,
            refs,
            participants,
            head: ServerSequence::new(newest),
            is_noted,
        }))
    }

    /// The user that `user_ref` stands for. The ref must exist.
    pub(crate) fn user_by_ref(&self, user_ref: u32) -> Result<UserId, Failure> {
        self.users
            .find(&user_ref.to_be_bytes(), |value| value.last(Fields::user))?
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
        Ok(ConversationDetails { refs: [row.a, row.b], participants: self.participants(row)?, note: None })
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
    /// Notes the newest number of a user's inbox.
    pub(crate) fn note_user(&mut self, user: UserHead, epoch: Epoch) -> Result<(), Failure> {
        let row = FloorRow { floor: user.floor, note: Some(epoch.note(user.head.get())) };
        self.floors.insert(&user.user_ref.to_be_bytes(), &row.encode())
    }

    /// Notes the newest number of a conversation.
    pub(crate) fn note_conversation(
        &mut self,
        id: ConversationId,
        conversation: ConversationHead,
        epoch: Epoch,
    ) -> Result<(), Failure> {
        let ConversationHead { conversation_ref, refs, participants, head, .. } = conversation;
        let note = Some(epoch.note(head.get()));
        self.insert_conversation_id_row(
            id,
            conversation_ref,
            ConversationDetails { refs, participants, note },
        )
    }

    /// Writes the row of a conversation's id.
    pub(crate) fn insert_conversation_id_row(
        &mut self,
        id: ConversationId,
        conversation_ref: u32,
        details: ConversationDetails,
    ) -> Result<(), Failure> {
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
