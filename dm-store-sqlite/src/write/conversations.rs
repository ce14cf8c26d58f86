//! Opens conversations.

use dm_core::store::{Conversation, Event, Notice, OpenConversation, Outcome, ServerSequence};
use rusqlite::{OptionalExtension, params};

use super::heads::ConversationHead;
use super::inbox::Content;
use super::{Batch, WriteError};
use crate::codec;

impl Batch<'_> {
    /// Opens a conversation of two users, or returns the one that they already have.
    pub(super) fn open_conversation(&mut self, write: &OpenConversation) -> Result<Outcome, WriteError> {
        let participants = write.participants;
        let a = self.user_or_new(participants.a())?;
        let b = self.user_or_new(participants.b())?;
        let existing = self
            .connection
            .prepare_cached("SELECT id, opened_at FROM dm_conversations WHERE a = ?1 AND b = ?2")?
            .query_row([a.user_ref, b.user_ref], |row| {
                let (id, opened_at) = (codec::get_conversation(row, 0)?, codec::get_time(row, 1)?);
                Ok(Conversation { id, participants, opened_at })
            })
            .optional()?;
        if let Some(conversation) = existing {
            return Ok(Outcome::ConversationOpened { conversation, created: false, appended: Vec::new() });
        }

        let conversation = Conversation { id: write.id, participants, opened_at: write.at };
        self.connection
            .prepare_cached("INSERT INTO dm_conversations (id, a, b, opened_at) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![write.id.as_bytes(), a.user_ref, b.user_ref, codec::time_to_i64(write.at)])?;
        let conversation_ref = self.connection.last_insert_rowid();
        self.heads.insert_conversation(
            write.id,
            ConversationHead { conversation_ref, participants, head: ServerSequence::ZERO },
        );
        let notice = Notice::ConversationOpened(conversation);
        let mut appended = Vec::with_capacity(2);
        for (id, user) in [(participants.a(), a), (participants.b(), b)] {
            let origin = (id == write.opener.user).then_some(&write.opener.device);
            let content = Content::Notice(notice.encode());
            appended.push(self.append_entry((id, user), write.at, origin, content, Event::Notice(notice))?);
        }
        Ok(Outcome::ConversationOpened { conversation, created: true, appended })
    }
}
