//! Acknowledging entries for a device.
//!
//! An acknowledgement names a number up to which all entries are acknowledged, or it lists entries
//! or messages. The listed entries are acknowledged *individually*.

use std::ops::Bound;

use dm_core::store::{
    AckDecision, AckState, Acknowledge, Acknowledged, Answer, InboxSeq, MessageId, Prepared, Principal,
    Refusal, Stop, UserId,
};

use crate::codec;
use crate::write::decide::plan::Plan;
use crate::write::state::{BatchState, Content, Retry};

/// An entry that blocks the cursor of a device: the cursor cannot advance beyond it.
struct Unacknowledged {
    seq: u64,
    /// The number of the highest entry below this one that was acknowledged individually before
    /// this segment; `None` if there is none.
    acked_below: Option<u64>,
}

impl BatchState {
    /// Checks an acknowledgement, and decides what it changes.
    pub(super) fn plan_acknowledgement(&mut self, write: Acknowledge) -> Result<Prepared<Plan>, Stop<Retry>> {
        let who = &write.who;
        let user = self.users.get(&who.user).ok_or(Refusal::UnknownDevice)?;
        let cursor = self.devices.get(who).ok_or(Refusal::UnknownDevice)?.cursor;
        let state = AckState { cursor: InboxSeq::new(cursor), head: user.head, floor: user.floor };
        let decision = write.decide::<Stop<Retry>>(state, |id| Ok(self.entry_about(who.user, id)))?;
        Ok(Prepared::Ready(Plan::Acknowledge(write, decision)))
    }

    /// Marks entries as acknowledged, and advances the device's cursor.
    pub(super) fn acknowledge(&mut self, write: &Acknowledge, decision: AckDecision) -> Answer {
        let who = &write.who;
        let AckDecision { done, marks } = decision;
        let floor = self.users.get(&who.user).map_or(0, |user| user.floor.get());
        if let Some(device) = self.devices.get_mut(who)
            && !marks.is_empty()
        {
            device.newly_acked.extend(marks.iter().map(|seq| seq.get()));
            device.is_changed = true;
        }
        let advanced = self.advance_cursor(who, done.cursor.get(), floor);
        if let Some(device) = self.devices.get_mut(who)
            && device.cursor != advanced
        {
            (device.cursor, device.is_changed) = (advanced, true);
        }
        Answer::Acknowledged(Acknowledged { cursor: InboxSeq::new(advanced), ..done })
    }

    /// The number of a user's inbox entry about a message; zero if the message is not known or the
    /// user is not a participant.
    fn entry_about(&self, user: UserId, id: MessageId) -> InboxSeq {
        match self.inbox_numbers.get(&id) {
            Some(numbers) if numbers.sender == user => numbers.sender_seq,
            Some(numbers) if numbers.recipient == user => numbers.recipient_seq,
            _ => InboxSeq::ZERO,
        }
    }

    /// Returns the number to which a device's cursor advances from `cursor`: that of the highest
    /// acknowledged entry below the first entry that blocks the cursor, or `cursor` itself if that
    /// entry is not above it.
    ///
    /// Only entries about messages block the cursor, and of these only entries that the device
    /// neither caused nor acknowledged. A notice or an expired entry does not block the cursor if a
    /// later entry is acknowledged: an acknowledgement by message ids cannot name such an entry,
    /// and entries are delivered in order.
    fn advance_cursor(&self, who: &Principal, cursor: u64, floor: u64) -> u64 {
        let Some(device) = self.devices.get(who) else { return cursor };
        let highest = device.highest_acked.max(device.newly_acked.last().copied());
        if highest.is_none_or(|highest| highest <= cursor) {
            return cursor;
        }
        let first = self.first_unacknowledged(who, cursor.max(floor));
        let (end, acked_before) = match first {
            Some(Unacknowledged { seq, acked_below }) => (seq, acked_below),
            None => (u64::MAX, device.highest_acked),
        };
        let between = (Bound::Excluded(cursor), Bound::Excluded(end));
        let newly = device.newly_acked.range(between).next_back().copied();
        newly.max(acked_before).map_or(cursor, |ahead| ahead.max(cursor))
    }

    /// The first entry above `after` that is about a message and that the device neither caused nor
    /// acknowledged; `None` if there is none.
    fn first_unacknowledged(&self, who: &Principal, after: u64) -> Option<Unacknowledged> {
        let device = self.devices.get(who)?;
        let above = (Bound::Excluded(after), Bound::Unbounded);
        let loaded = device.unacknowledged.range(above).find(|(seq, _)| !device.newly_acked.contains(seq));
        if let Some((&seq, &acked_below)) = loaded {
            return Some(Unacknowledged { seq, acked_below });
        }
        // No stored entry was found. Entries that this segment appended are above all stored ones.
        let origin = codec::origin(Some(&who.device));
        self.entries
            .iter()
            .find(|entry| {
                entry.user == who.user
                    && entry.seq.get() > after
                    && matches!(entry.content, Content::Message(..))
                    && codec::origin(entry.origin.as_ref()) != origin
                    && !device.newly_acked.contains(&entry.seq.get())
            })
            .map(|entry| Unacknowledged { seq: entry.seq.get(), acked_below: device.highest_acked })
    }
}
