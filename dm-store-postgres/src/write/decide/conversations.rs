//! Opening conversations.

use dm_core::store::{Conversation, Event, Notice, OpenConversation, Outcome, ServerSequence};

use crate::write::state::{BatchState, Content, ConversationHead, Stop};

impl BatchState {
    /// Opens the conversation of two users. If it exists, returns the existing conversation.
    pub(super) fn open_conversation(&mut self, write: &OpenConversation) -> Result<Outcome, Stop> {
        let participants = write.participants;
        let existing = self.by_participants.get(&participants).and_then(|id| self.conversations.get(id));
        if let Some(ConversationHead { conversation, .. }) = existing {
            let conversation = *conversation;
            return Ok(Outcome::ConversationOpened { conversation, created: false, appended: Vec::new() });
        }
        // The number of the new conversation among those of each participant.
        let numbers =
            (self.user(participants.a())?.conversations + 1, self.user(participants.b())?.conversations + 1);
        for (user, number) in [(participants.a(), numbers.0), (participants.b(), numbers.1)] {
            let user = self.user(user)?;
            (user.conversations, user.is_changed) = (number, true);
        }

        let conversation = Conversation { id: write.id, participants, opened_at: write.at };
        let head = ConversationHead {
            conversation,
            sequence: ServerSequence::ZERO,
            sequence_in_row: ServerSequence::ZERO,
            last_activity: None,
            new_numbers: Some(numbers),
        };
        self.conversations.insert(write.id, head);
        self.by_participants.insert(participants, write.id);
        let notice = Notice::ConversationOpened(conversation);
        let mut appended = Vec::with_capacity(2);
        for user in [participants.a(), participants.b()] {
            let origin = (user == write.opener.user).then(|| write.opener.device.clone());
            let content = Content::Notice(notice.encode());
            appended.push(self.append_entry(user, write.at, origin, content, Event::Notice(notice))?);
        }
        Ok(Outcome::ConversationOpened { conversation, created: true, appended })
    }
}
