//! Expiring the oldest entries of inboxes.

use dm_core::{Expire, InboxSeq, Outcome, Timestamp};
use redb::ReadableTable;

use super::{Batch, Stop};
use crate::codec::{Fields, numbered, timed};
use crate::error::Failure;
use crate::tables::Remove;

/// An inbox that holds entries, and when its first one was queued.
#[derive(Clone, Copy)]
struct Oldest {
    at: Timestamp,
    user_ref: u32,
}

impl Batch<'_, '_> {
    pub(super) fn expire(&mut self, write: &Expire) -> Result<Outcome, Stop> {
        let mut entries = 0;
        while entries < write.limit
            && let Some(oldest) = self.next_to_expire(write.before)?
        {
            entries += self.expire_inbox(oldest, write.before, write.limit - entries)?;
            let user = self.tables.user_of(oldest.user_ref)?;
            self.heads.forget_user(user);
        }
        Ok(Outcome::Expired { entries, more: self.next_to_expire(write.before)?.is_some() })
    }

    /// The inbox whose oldest entry is the oldest of all, if it is old enough.
    fn next_to_expire(&self, before: Timestamp) -> Result<Option<Oldest>, Failure> {
        let Some((key, _)) = self.tables.oldest.first()? else { return Ok(None) };
        let mut key = Fields::new(key.value());
        let oldest = Oldest { at: key.time()?, user_ref: key.last(Fields::u32)? };
        Ok((oldest.at < before).then_some(oldest))
    }

    /// Removes the entries of one inbox before the first that is not old enough, up to a limit.
    fn expire_inbox(&mut self, oldest: Oldest, before: Timestamp, limit: usize) -> Result<usize, Failure> {
        let user_ref = oldest.user_ref;
        let (mut removed, mut floor, mut next) = (0, None, None);
        for entry in self.tables.entries_after(user_ref, InboxSeq::ZERO)? {
            let (seq, row) = entry?;
            if removed == limit || row.at >= before {
                next = Some(row.at);
                break;
            }
            removed += 1;
            floor = Some(seq);
        }
        // The first entry is the one whose time the inbox is known by: without this, the same inbox came back
        // for ever.
        let floor = floor.ok_or(Failure::Damaged("an inbox without the entry it is known by"))?;

        self.tables.inbox.remove_between(&numbered(user_ref, 0), &numbered(user_ref, floor.get()))?;
        self.tables.floors.insert(user_ref.to_be_bytes().as_slice(), floor.get().to_be_bytes().as_slice())?;
        self.tables.oldest.remove(timed(oldest.at, user_ref).as_slice())?;
        if let Some(at) = next {
            self.tables.oldest.insert(timed(at, user_ref).as_slice(), [].as_slice())?;
        }
        let devices: Vec<u32> = self
            .tables
            .devices_of(user_ref)?
            .map(|device| device.map(|(device_ref, _)| device_ref))
            .collect::<Result<_, _>>()?;
        for device_ref in devices {
            self.remove_marks(user_ref, device_ref, floor)?;
        }
        Ok(removed)
    }
}
