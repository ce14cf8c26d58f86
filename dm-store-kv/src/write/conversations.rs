//! Opening conversations.

use dm_core::store::{Conversation, Notice, OpenConversation, Outcome, ServerSequence};

use super::{BatchWriter, WriteError};
use crate::codec::{ConversationDetails, ConversationRow, Fields, refs_key};
use crate::failure::Failure;
use crate::heads::ConversationHead;
use crate::rows::{Changes, RowsExt as _};

impl<T: Changes> BatchWriter<'_, T> {
    /// Opens the conversation of two users, or returns the one that they already have.
    pub(super) fn open_conversation(&mut self, write: &OpenConversation) -> Result<Outcome, WriteError> {
        let participants = write.participants;
        let a = self.user_or_new(participants.a())?.user_ref;
        let b = self.user_or_new(participants.b())?.user_ref;
        if let Some(existing_ref) =
            self.tables.pairs.find(&refs_key(a, b), |value| value.last(Fields::u32))?
        {
            let ConversationRow { id, opened_at, .. } = self.tables.conversation_row(existing_ref)?;
            let conversation = Conversation { id, participants, opened_at };
            return Ok(Outcome::ConversationOpened { conversation, created: false, appended: Vec::new() });
        }

        let conversation = Conversation { id: write.id, participants, opened_at: write.at };
        let conversation_ref = self.insert_conversation_rows(conversation, a, b)?;
        let head = ServerSequence::ZERO;
        let new = ConversationHead { conversation_ref, refs: [a, b], participants, head, is_noted: true };
        self.heads.insert_conversation(self.tables, write.id, new)?;
        let notice = Notice::ConversationOpened(conversation);
        let mut appended = Vec::with_capacity(2);
        for user in [participants.a(), participants.b()] {
            let origin = (user == write.opener.user).then_some(&write.opener.device);
            appended.push(self.append_notice(user, write.at, origin, notice)?);
        }
        Ok(Outcome::ConversationOpened { conversation, created: true, appended })
    }

    /// Inserts the rows of a new conversation. `a` and `b` are the refs of its participants.
    /// Returns the conversation's ref.
    fn insert_conversation_rows(
        &mut self,
        conversation: Conversation,
        a: u32,
        b: u32,
    ) -> Result<u32, Failure> {
        let Conversation { id, opened_at, participants } = conversation;
        let note = self.heads.note(ServerSequence::ZERO.get());
        let tables = &mut self.tables;
        let conversation_ref = tables.conversations.next_ref()?;
        let key = conversation_ref.to_be_bytes();
        tables.conversations.insert(&key, &ConversationRow { id, a, b, opened_at }.encode())?;
        tables.insert_conversation_id_row(
            id,
            conversation_ref,
            ConversationDetails { refs: [a, b], participants, note },
        )?;
        tables.pairs.insert(&refs_key(a, b), &key)?;
        tables.members.insert(&refs_key(a, conversation_ref), &b.to_be_bytes())?;
        tables.members.insert(&refs_key(b, conversation_ref), &a.to_be_bytes())?;
        Ok(conversation_ref)
    }
}
