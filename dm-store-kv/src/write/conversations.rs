//! Opening conversations.

use dm_core::store::{Conversation, Notice, OpenConversation, Outcome, ServerSequence};

use super::{Batch, Stop};
use crate::codec::{Fields, People, ThreadRow, refs};
use crate::failure::Failure;
use crate::heads::Thread;
use crate::rows::{Changes, Look as _};

impl<T: Changes> Batch<'_, T> {
    pub(super) fn open_conversation(&mut self, write: &OpenConversation) -> Result<Outcome, Stop> {
        let participants = write.participants;
        let a = self.user_or_new(participants.a())?.user_ref;
        let b = self.user_or_new(participants.b())?.user_ref;
        if let Some(open) = self.tables.pairs.find(&refs(a, b), |value| value.last(Fields::u32))? {
            let ThreadRow { id, opened_at, .. } = self.tables.thread_row(open)?;
            let conversation = Conversation { id, participants, opened_at };
            return Ok(Outcome::ConversationOpened { conversation, created: false, appended: Vec::new() });
        }

        let conversation = Conversation { id: write.id, participants, opened_at: write.at };
        let thread_ref = self.insert_conversation(conversation, a, b)?;
        let head = ServerSequence::ZERO;
        let thread = Thread { thread_ref, refs: [a, b], participants, head, is_noted: true };
        self.heads.insert_thread(self.tables, write.id, thread)?;
        let notice = Notice::ConversationOpened(conversation);
        let mut appended = Vec::with_capacity(2);
        for user in [participants.a(), participants.b()] {
            let origin = (user == write.opener.user).then_some(&write.opener.device);
            appended.push(self.append_notice(user, write.at, origin, notice)?);
        }
        Ok(Outcome::ConversationOpened { conversation, created: true, appended })
    }

    fn insert_conversation(&mut self, conversation: Conversation, a: u32, b: u32) -> Result<u32, Failure> {
        let Conversation { id, opened_at, participants } = conversation;
        let note = self.heads.note(ServerSequence::ZERO.get());
        let tables = &mut self.tables;
        let thread_ref = tables.conversations.next_ref()?;
        let key = thread_ref.to_be_bytes();
        tables.conversations.insert(&key, &ThreadRow { id, a, b, opened_at }.encode())?;
        tables.insert_named_thread(id, thread_ref, People { refs: [a, b], participants, note })?;
        tables.pairs.insert(&refs(a, b), &key)?;
        tables.members.insert(&refs(a, thread_ref), &b.to_be_bytes())?;
        tables.members.insert(&refs(b, thread_ref), &a.to_be_bytes())?;
        Ok(thread_ref)
    }
}
