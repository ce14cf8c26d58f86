//! Opening conversations.

use dm_core::store::{
    Answer, Conversation, Counts, Event, Notice, Notification, OpenConversation, Owner, Prepared, RecordKey,
    ServerSequence, Side, Stop,
};

use crate::write::decide::plan::Plan;
use crate::write::state::{BatchState, Content, ConversationHead, NewEntry, Retry, stop};

impl BatchState {
    /// Checks the opening of the conversation of two users. If it exists, the answer is the existing
    /// one.
    pub(super) fn plan_opening(&mut self, write: OpenConversation) -> Result<Prepared<Plan>, Stop<Retry>> {
        let participants = write.participants;
        let existing = self.by_participants.get(&participants).and_then(|id| self.conversations.get(id));
        if let Some(head) = existing {
            return Ok(Prepared::Found(Answer::ConversationOpened(head.conversation)));
        }
        self.gate_of(participants).check_open()?;
        let opener = participants.side(write.opener.user).unwrap_or(Side::A);
        for side in [opener, opener.other()] {
            let user = participants.participant(side);
            self.user(user).map_err(stop)?.gate.check_open(user)?;
        }
        Ok(Prepared::Ready(Plan::Open(write)))
    }

    pub(super) fn open_conversation(
        &mut self,
        write: &OpenConversation,
        appended: &mut Vec<Notification>,
    ) -> Result<Answer, Retry> {
        let participants = write.participants;
        let conversation = Conversation { id: write.id, participants, opened_at: write.at };
        // The gate of the pair moves from its own row to that of the conversation.
        let gate = self.gate_of(participants);
        if let Some(row) = self.gates.get_mut(&participants) {
            (row.is_changed, row.gate) = (true, Default::default());
        }
        let fence = RecordKey::fence(Owner::Conversation(write.id));
        let fence = self.records.get(&fence).ok().flatten().map(|record| record.tag);
        let head = ConversationHead {
            conversation,
            sequence: ServerSequence::ZERO,
            sequence_in_row: ServerSequence::ZERO,
            last_activity: None,
            counts: Counts::default(),
            fence,
            gate,
            has_new_gate: false,
            is_new: true,
        };
        self.conversations.insert(write.id, head);
        self.by_participants.insert(participants, write.id);
        let notice = Notice::ConversationOpened(conversation);
        for user in [participants.a(), participants.b()] {
            let entry = NewEntry {
                at: write.at,
                origin: (user == write.opener.user).then(|| write.opener.device.clone()),
                addressee: None,
                content: Content::Notice(notice.encode()),
                event: Event::Notice(notice.clone()),
            };
            appended.push(self.add_entry(user, entry)?);
        }
        Ok(Answer::ConversationOpened(conversation))
    }
}
