//! Opens conversations.

use dm_core::store::{
    Answer, Conversation, Counts, Event, Gate, InboxEntry, InboxSeq, Notice, Notification, OpenConversation,
    Owner, Prepared, RecordKey, ServerSequence, Side, Stop,
};
use rusqlite::{Error, Result, params};

use super::Batch;
use super::heads::ConversationHead;
use super::plan::{OpenPlan, Plan};
use crate::codec::{self, gate};
use crate::read::records;

impl Batch<'_> {
    /// Checks the opening of a conversation. Finds the one that the pair already has.
    pub(super) fn plan_opening(&mut self, write: OpenConversation) -> Result<Prepared<Plan>, Stop<Error>> {
        let participants = write.participants;
        let pair = self.pair(participants).map_err(Stop::Failed)?;
        if let Some((conversation, _)) = pair.conversation {
            return Ok(Prepared::Found(Answer::ConversationOpened(conversation)));
        }
        pair.gate.check_open()?;
        let opener = participants.side(write.opener.user).unwrap_or(Side::A);
        for side in [opener, opener.other()] {
            let user = participants.participant(side);
            if let Some(known) = self.user(user).map_err(Stop::Failed)? {
                known.gate.check_open(user)?;
            }
        }
        Ok(Prepared::Ready(Plan::Open(OpenPlan { write, gate: pair.gate })))
    }

    /// Opens a conversation whose checks have passed. Moves the gate of the pair into its row.
    pub(super) fn open_conversation(
        &mut self,
        plan: &OpenPlan,
        appended: &mut Vec<Notification>,
    ) -> Result<Answer> {
        let OpenPlan { write, gate } = plan;
        let (id, participants, at) = (write.id, write.participants, write.at);
        let a = self.user_or_new(participants.a())?.inbox;
        let b = self.user_or_new(participants.b())?.inbox;
        let fence = RecordKey::fence(Owner::Conversation(id));
        let fence = records::record(self.connection, &fence)?.map(|record| record.tag);
        self.connection
            .prepare_cached(
                "INSERT INTO dm_conversations (id, a, b, opened_at, fence, gate) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                id.as_bytes(),
                a.user_ref,
                b.user_ref,
                codec::time_to_i64(at),
                fence.as_ref().map(|tag| tag.as_bytes()),
                gate::gate(gate)
            ])?;
        let conversation_ref = self.connection.last_insert_rowid();
        if *gate != Gate::default() {
            self.delete_gate(a.user_ref, b.user_ref)?;
        }
        self.heads.insert_conversation(
            id,
            ConversationHead {
                conversation_ref,
                participants,
                head: ServerSequence::ZERO,
                counts: Counts::default(),
                fence,
                gate: *gate,
            },
        );
        let conversation = Conversation { id, participants, opened_at: at };
        let notice = Notice::ConversationOpened(conversation);
        let encoded = notice.encode();
        for (user, inbox) in [(participants.a(), a), (participants.b(), b)] {
            let origin = (user == write.opener.user).then(|| write.opener.device.clone());
            let event = Event::Notice(notice.clone());
            let entry = InboxEntry { seq: InboxSeq::ZERO, at, origin, addressee: None, event };
            appended.push(self.append_notice((user, inbox), &encoded, entry)?);
        }
        Ok(Answer::ConversationOpened(conversation))
    }
}
