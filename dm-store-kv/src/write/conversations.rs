//! Opening conversations.

use dm_core::store::{
    Answer, Conversation, Counts, Event, Gate, Notice, Notification, OpenConversation, Owner, Prepared,
    RecordKey, ServerSequence, Side, Stop, UserId,
};

use super::BatchWriter;
use super::inbox::new_entry;
use crate::codec::{ConversationDetails, ConversationRow, PairRow, member_key, refs_key};
use crate::failure::Failure;
use crate::head::ConversationHead;
use crate::rows::{Changes, RowsExt as _};

/// An opening whose checks have passed.
pub(super) struct OpenPlan {
    write: OpenConversation,
    /// The gate that the pair has so far.
    gate: Gate,
}

impl OpenPlan {
    /// The user that the opener opens the conversation with.
    pub(super) fn peer(&self) -> Option<UserId> {
        self.write.participants.peer_of(self.write.opener.user)
    }
}

impl<T: Changes> BatchWriter<'_, T> {
    /// Checks an opening. The conversation that the pair already has is found.
    pub(super) fn plan_opening(
        &mut self,
        write: OpenConversation,
    ) -> Result<Prepared<OpenPlan>, Stop<Failure>> {
        let participants = write.participants;
        let gate = match self.pair_row(participants)? {
            Some(PairRow::Conversation(existing_ref)) => {
                let ConversationRow { id, opened_at, .. } = self.tables.conversation_row(existing_ref)?;
                let conversation = Conversation { id, participants, opened_at };
                return Ok(Prepared::Found(Answer::ConversationOpened(conversation)));
            }
            Some(PairRow::Gate(gate)) => gate,
            None => Gate::default(),
        };
        gate.check_open()?;
        let opener = participants.side(write.opener.user).unwrap_or(Side::A);
        for side in [opener, opener.other()] {
            let user = participants.participant(side);
            if let Some(head) = self.heads.user(self.tables, user)? {
                head.gate().check_open(user)?;
            }
        }
        Ok(Prepared::Ready(OpenPlan { write, gate }))
    }

    /// Opens the conversation of two users.
    pub(super) fn open_conversation(
        &mut self,
        OpenPlan { write, gate }: OpenPlan,
        appended: &mut Vec<Notification>,
    ) -> Result<Answer, Failure> {
        let participants = write.participants;
        let a = self.user_or_new(participants.a())?.user_ref;
        let b = self.user_or_new(participants.b())?.user_ref;
        let conversation = Conversation { id: write.id, participants, opened_at: write.at };
        self.insert_conversation_rows(conversation, [a, b], gate)?;
        let notice = Notice::ConversationOpened(conversation);
        for user in [participants.a(), participants.b()] {
            let origin = (user == write.opener.user).then(|| write.opener.device.clone());
            let entry = new_entry(write.at, origin, Event::Notice(notice.clone()));
            let head = self.user_or_new(user)?;
            appended.push(self.append_entry_of((user, head), entry, 0)?);
        }
        Ok(Answer::ConversationOpened(conversation))
    }

    /// Inserts the rows of a new conversation. `a` and `b` are the refs of its participants.
    fn insert_conversation_rows(
        &mut self,
        conversation: Conversation,
        [a, b]: [u32; 2],
        gate: Gate,
    ) -> Result<(), Failure> {
        let Conversation { id, opened_at, participants } = conversation;
        // The conversation may have got a fence before it was opened.
        let fence = self.tables.record(&RecordKey::fence(Owner::Conversation(id)))?.map(|record| record.tag);
        let tables = &mut self.tables;
        let conversation_ref = tables.conversations.next_ref()?;
        let key = conversation_ref.to_be_bytes();
        tables.conversations.insert(&key, &ConversationRow { id, a, b, opened_at }.encode())?;
        tables.pairs.insert(&refs_key(a, b), &PairRow::Conversation(conversation_ref).encode())?;
        tables.members.insert(&member_key(a, id), &key)?;
        tables.members.insert(&member_key(b, id), &key)?;
        let details = ConversationDetails { refs: [a, b], participants, note: None, fence, gate };
        let (head, counts) = (ServerSequence::ZERO, Counts::default());
        let new = ConversationHead::from_details(conversation_ref, details, head, counts);
        self.heads.write_conversation(self.tables, id, new)
    }
}
