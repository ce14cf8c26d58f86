//! Acknowledging entries for a device.

use std::ops::Bound;

use dm_core::store::{
    AckDecision, AckState, Acknowledge, Acknowledged, InboxSeq, MessageId, Outcome, Principal, Refusal,
    UserId,
};

use super::book::{Book, Content, Stop};
use crate::codec;

/// The entry that keeps a device's cursor from moving on.
struct Open {
    seq: u64,
    /// The highest entry below it that was acknowledged individually before this run.
    mark_below: Option<u64>,
}

impl Book {
    pub(super) fn acknowledge(&mut self, write: &Acknowledge) -> Result<Outcome, Stop> {
        let who = &write.who;
        let user = self.users.get(&who.user).ok_or(Refusal::UnknownDevice)?;
        let (head, floor) = (user.head, user.floor.get());
        let cursor = self.devices.get(who).ok_or(Refusal::UnknownDevice)?.cursor;
        let state = AckState { cursor: InboxSeq::new(cursor), head, floor: InboxSeq::new(floor) };
        let entry_about = |id| Ok::<_, Stop>(self.entry_about(who.user, id));
        let AckDecision { done, marks } = write.decide(state, entry_about)?;
        if let Some(device) = self.devices.get_mut(who)
            && !marks.is_empty()
        {
            device.named.extend(marks.iter().map(|seq| seq.get()));
            device.is_changed = true;
        }
        let settled = self.settle(who, done.cursor.get(), floor);
        if let Some(device) = self.devices.get_mut(who)
            && device.cursor != settled
        {
            (device.cursor, device.is_changed) = (settled, true);
        }
        Ok(Outcome::Acknowledged(Acknowledged { cursor: InboxSeq::new(settled), ..done }))
    }

    /// The entry of a user about a message; zero when there is none.
    fn entry_about(&self, user: UserId, id: MessageId) -> InboxSeq {
        match self.filed.get(&id) {
            Some(filed) if filed.sender == user => filed.sender_seq,
            Some(filed) if filed.recipient == user => filed.recipient_seq,
            _ => InboxSeq::ZERO,
        }
    }

    /// Where a cursor comes to stand that moves over what follows it and is acknowledged. The device's own entries are
    /// passed over, and so are notices and missing entries with an acknowledged entry above them: an acknowledgement by
    /// message id cannot name those, and deliveries are in order.
    fn settle(&self, who: &Principal, cursor: u64, floor: u64) -> u64 {
        let Some(device) = self.devices.get(who) else { return cursor };
        let newest = device.newest_mark.max(device.named.last().copied());
        if newest.is_none_or(|newest| newest <= cursor) {
            return cursor;
        }
        let open = self.first_open(who, cursor.max(floor));
        let (end, stored) = match open {
            Some(Open { seq, mark_below }) => (seq, mark_below),
            None => (u64::MAX, device.newest_mark),
        };
        let between = (Bound::Excluded(cursor), Bound::Excluded(end));
        let named = device.named.range(between).next_back().copied();
        named.max(stored).map_or(cursor, |ahead| ahead.max(cursor))
    }

    /// The first message after a number that the device did not cause and did not acknowledge.
    fn first_open(&self, who: &Principal, after: u64) -> Option<Open> {
        let device = self.devices.get(who)?;
        let above = (Bound::Excluded(after), Bound::Unbounded);
        let stored = device.open.range(above).find(|(seq, _)| !device.named.contains(seq));
        if let Some((&seq, &mark_below)) = stored {
            return Some(Open { seq, mark_below });
        }
        // What this run appended is above all that was there.
        let origin = codec::origin(Some(&who.device));
        self.entries
            .iter()
            .find(|entry| {
                entry.user == who.user
                    && entry.seq.get() > after
                    && matches!(entry.content, Content::Message(..))
                    && codec::origin(entry.origin.as_ref()) != origin
                    && !device.named.contains(&entry.seq.get())
            })
            .map(|entry| Open { seq: entry.seq.get(), mark_below: device.newest_mark })
    }
}
