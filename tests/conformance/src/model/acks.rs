//! The model of an acknowledgement.

use std::collections::BTreeSet;

use dm_core::store::{AckTarget, Acknowledge, Acknowledged, Answer, Event, InboxSeq, Refusal};

use super::state::{Model, UserState};

impl Model {
    /// The checks of an acknowledgement.
    pub(super) fn check_acknowledgement(&self, write: &Acknowledge) -> Result<(), Refusal> {
        let head = self.head(write.who.user);
        let beyond = match &write.target {
            AckTarget::UpTo(seq) => seq.get() > head,
            AckTarget::Entries(seqs) => seqs.iter().any(|seq| seq.get() > head),
            AckTarget::Messages(_) => false,
        };
        let person = self.users.get(&write.who.user);
        if person.is_none_or(|person| person.device(&write.who.device).is_none()) {
            return Err(Refusal::UnknownDevice);
        }
        if beyond {
            return Err(Refusal::BeyondHead { head: InboxSeq::new(head) });
        }
        Ok(())
    }

    /// Does an acknowledgement and returns the allowed answers. The contract does not say whether an
    /// entry or message that is named twice counts once or twice.
    pub(super) fn acknowledge(&mut self, write: &Acknowledge) -> Vec<Answer> {
        let mut counts = Vec::new();
        let mut marks = BTreeSet::new();
        match &write.target {
            AckTarget::UpTo(_) => {}
            AckTarget::Entries(seqs) => {
                let named: Vec<u64> = seqs.iter().map(|seq| seq.get()).collect();
                let distinct: BTreeSet<u64> = named.iter().copied().collect();
                counts.push(count(&named));
                counts.push(count(&distinct.iter().copied().collect::<Vec<_>>()));
                marks = distinct;
            }
            AckTarget::Messages(ids) => {
                let number = |id| Some(*self.sent(id)?.numbers.get(&write.who.user)?);
                let named: Vec<u64> = ids.iter().map(|id| number(*id).unwrap_or(0)).collect();
                let distinct: BTreeSet<_> = ids.iter().copied().collect();
                let distinct: Vec<u64> = distinct.into_iter().map(|id| number(id).unwrap_or(0)).collect();
                counts.push(count(&named));
                counts.push(count(&distinct));
                marks = named.into_iter().collect();
            }
        }
        marks.remove(&0);

        let device = self.registered(&write.who).expect("the device was checked");
        let before = device.cursor;
        device.marks.extend(marks);
        if let AckTarget::UpTo(seq) = write.target {
            device.cursor = before.max(seq.get());
            counts.push((seq.get().saturating_sub(before), 0));
        }
        let cursor = self.person(write.who.user).advance_cursor(&write.who.device);
        if matches!(write.target, AckTarget::UpTo(_)) {
            // The cursor may move on over entries that were acknowledged before, and a store may
            // count those as well.
            counts.push((cursor - before, 0));
        }
        let cursor = InboxSeq::new(cursor);
        let done = |(acknowledged, unknown)| Acknowledged { cursor, acknowledged, unknown };
        counts.into_iter().map(done).map(Answer::Acknowledged).collect()
    }
}

/// The number of entries among these numbers, and the number of zeros, which stand for unknown
/// ones.
fn count(named: &[u64]) -> (u64, u64) {
    let unknown = named.iter().filter(|seq| **seq == 0).count();
    ((named.len() - unknown) as u64, unknown as u64)
}

impl UserState {
    /// Moves a device's cursor up to the last acknowledged entry before the first one that the
    /// device still has to receive. It does not have to receive its own entries, nor entries that
    /// are no messages: an acknowledgement of a later message covers those, and expired ones.
    fn advance_cursor(&mut self, name: &dm_core::DeviceId) -> u64 {
        let entries = &self.entries;
        let device = self.devices.iter_mut().find(|device| device.name == *name).expect("registered");
        let to_come = entries.values().find(|entry| {
            let seq = entry.seq.get();
            seq > device.cursor
                && !device.marks.contains(&seq)
                && entry.origin.as_ref() != Some(name)
                && matches!(entry.event, Event::Message(_))
        });
        let end = to_come.map_or(u64::MAX, |entry| entry.seq.get());
        let held = |seq: &&u64| entries.contains_key(seq);
        let last = device.marks.range(..end).rfind(held);
        device.cursor = device.cursor.max(last.copied().unwrap_or(0));
        device.marks = device.marks.split_off(&(device.cursor + 1));
        device.cursor
    }
}
