//! Acknowledging entries for a device. An entry that is acknowledged individually, above the
//! device's cursor, gets a *mark*, which is a row of `acked`.

use dm_core::store::{
    AckDecision, AckState, Acknowledge, Acknowledged, Answer, InboxSeq, MessageId, Prepared, Refusal, Stop,
};

use super::BatchWriter;
use crate::codec::{Content, DeviceRow, Fields, MessageHeader, mark_key, refs_key};
use crate::failure::Failure;
use crate::read::marked_entry;
use crate::rows::{Changes, Order, RowsExt as _};

/// An acknowledgement whose checks have passed.
pub(super) struct AcknowledgePlan {
    user_ref: u32,
    device_ref: u32,
    device: DeviceRow,
    /// The number of the newest entry that expired.
    floor: InboxSeq,
    decision: AckDecision,
}

impl<T: Changes> BatchWriter<'_, T> {
    /// Checks an acknowledgement, and decides what it changes.
    pub(super) fn plan_acknowledgement(
        &mut self,
        write: &Acknowledge,
    ) -> Result<Prepared<AcknowledgePlan>, Stop<Failure>> {
        let user = self.heads.user(self.tables, write.who.user)?.ok_or(Refusal::UnknownDevice)?;
        let (user_ref, head) = (user.user_ref, user.head);
        let (device_ref, device) =
            self.tables.device(user_ref, &write.who.device)?.ok_or(Refusal::UnknownDevice)?;
        let floor = self.tables.floor(user_ref)?;
        let state = AckState { cursor: device.cursor, head, floor };
        let entry_about = |id| Ok::<_, Stop<Failure>>(self.entry_about(user_ref, id)?);
        let decision = write.decide(state, entry_about)?;
        let plan = AcknowledgePlan { user_ref, device_ref, device, floor, decision };
        Ok(Prepared::Ready(plan))
    }

    /// Acknowledges entries, and returns the device's new cursor.
    pub(super) fn acknowledge(&mut self, plan: AcknowledgePlan) -> Result<Answer, Failure> {
        let AcknowledgePlan { user_ref, device_ref, device, floor, decision } = plan;
        let AckDecision { done, marks } = decision;
        for seq in marks {
            self.tables.acked.insert(&mark_key(user_ref, device_ref, seq.get()), &[])?;
        }
        let cursor = self.advance_cursor(user_ref, device_ref, &device, done.cursor, floor)?;
        Ok(Answer::Acknowledged(Acknowledged { cursor, ..done }))
    }

    /// The number of a message's entry in a user's inbox; zero if the message does not exist or is
    /// not the user's.
    fn entry_about(&self, user_ref: u32, id: MessageId) -> Result<InboxSeq, Failure> {
        let row = self.tables.message_ids.find(id.as_bytes(), |value| value.last(Fields::u64))?;
        let Some(row) = row else { return Ok(InboxSeq::ZERO) };
        let header = self
            .tables
            .messages
            .find(&row.to_be_bytes(), |mut value| MessageHeader::decode(&mut value))?
            .ok_or(Failure::Damaged("a message id has no row in the table `messages`"))?;
        Ok(if header.sender == user_ref {
            header.sender_seq
        } else if header.recipient == user_ref {
            header.recipient_seq
        } else {
            InboxSeq::ZERO
        })
    }

    /// Moves a device's cursor up to the last acknowledged entry before the first unacknowledged
    /// message, at least to `cursor`, which is the cursor that the acknowledgement sets. Removes
    /// the marks up to the new cursor. Returns the new cursor.
    ///
    /// Entries that the device caused need no acknowledgement. A notice or a missing entry counts
    /// as acknowledged if an entry above it is acknowledged: an acknowledgement by message id
    /// cannot name a notice or a missing entry, and deliveries are in order. Entries that are
    /// addressed to other devices are notices.
    fn advance_cursor(
        &mut self,
        user_ref: u32,
        device_ref: u32,
        device: &DeviceRow,
        cursor: InboxSeq,
        floor: InboxSeq,
    ) -> Result<InboxSeq, Failure> {
        let mut advanced = cursor;
        let newest = self.newest_mark(user_ref, device_ref, device.cursor)?;
        if let Some(newest) = newest.filter(|newest| *newest > cursor) {
            let mut marks = self.tables.marks(user_ref, device_ref, cursor)?;
            for entry in self.tables.entries_after(user_ref, cursor.max(floor))? {
                let (seq, row) = entry?;
                if seq > newest {
                    break;
                }
                let is_own = row.origin.as_ref() == Some(&device.device);
                if marks.contains(seq)? {
                    advanced = seq;
                } else if !is_own && matches!(row.content, Content::Message(_)) {
                    break;
                }
            }
        }
        if newest.is_some() {
            self.remove_marks(user_ref, device_ref, device.cursor, advanced)?;
        }
        if advanced != device.cursor {
            let row = DeviceRow { cursor: advanced, ..device.clone() };
            self.tables.devices.insert(&refs_key(user_ref, device_ref), &row.encode())?;
        }
        Ok(advanced)
    }

    /// The highest entry with a mark of a device; `None` if the device has no marks. `cursor` is
    /// the device's cursor, and all its marks are above it.
    fn newest_mark(
        &self,
        user_ref: u32,
        device_ref: u32,
        cursor: InboxSeq,
    ) -> Result<Option<InboxSeq>, Failure> {
        let (from, to) =
            (mark_key(user_ref, device_ref, cursor.get()), mark_key(user_ref, device_ref, u64::MAX));
        match self.tables.acked.walk(&from, &to, Order::Descending)?.next() {
            None => Ok(None),
            Some(row) => marked_entry(&row?.0).map(Some),
        }
    }
}
