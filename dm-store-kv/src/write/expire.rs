//! Expiring the oldest entries of inboxes. The *floor* of an inbox is the number of its newest
//! expired entry.

use dm_core::store::{Answer, CursorProof, Expire, InboxSeq, Timestamp, UserId};

use super::BatchWriter;
use crate::codec::{Content, EntryRow, Fields, FloorRow, MessageHeader, log_key, oldest_key};
use crate::failure::Failure;
use crate::rows::{Changes, RowsExt as _};

/// A row of `oldest`: an inbox that has entries, and the time at which its first one was queued.
#[derive(Clone, Copy)]
struct OldestRow {
    at: Timestamp,
    user_ref: u32,
}

impl<T: Changes> BatchWriter<'_, T> {
    /// Expires at most `limit` entries that were queued before the time `before`, and begins with
    /// the inbox that has the oldest entry.
    pub(super) fn expire(&mut self, write: &Expire) -> Result<Answer, Failure> {
        let mut entries = 0;
        while entries < write.limit
            && let Some(oldest) = self.next_to_expire(write.before)?
        {
            entries += self.expire_inbox(oldest, write.before, write.limit - entries)?;
        }
        Ok(Answer::Expired { entries, more: self.next_to_expire(write.before)?.is_some() })
    }

    /// The inbox whose first entry is the oldest of all; `None` if no entry is older than `before`.
    fn next_to_expire(&mut self, before: Timestamp) -> Result<Option<OldestRow>, Failure> {
        let from = self.heads.first_oldest(self.tables)?;
        let Some(from) = from else { return Ok(None) };
        let mut key = Fields::new(&from);
        let oldest = OldestRow { at: key.time()?, user_ref: key.last(Fields::u32)? };
        Ok((oldest.at < before).then_some(oldest))
    }

    /// Removes at most `limit` entries of an inbox that are older than `before`. Returns the number
    /// of removed entries, at least 1. `limit` must be at least 1.
    fn expire_inbox(&mut self, oldest: OldestRow, before: Timestamp, limit: usize) -> Result<usize, Failure> {
        let user_ref = oldest.user_ref;
        let user = self.tables.user_by_ref(user_ref)?;
        let row = self.tables.floor_row(user_ref)?;
        let old_floor = row.floor;
        let (mut removed, mut newest, mut next) = (0, None, None);
        for entry in self.tables.entries_after(user_ref, old_floor)? {
            let (seq, row) = entry?;
            if removed == limit || row.at >= before {
                next = Some(row.at);
                break;
            }
            removed += 1;
            newest = Some((seq, row));
        }
        // If no entry is removed, the row of `oldest` would stay, and `expire` would find it
        // forever.
        let (floor, entry) =
            newest.ok_or(Failure::Damaged("an inbox has no entry as old as its row in `oldest`"))?;
        let proof = self.proof(user, floor, &entry)?;

        self.tables
            .inbox
            .remove_between(&log_key(user_ref, old_floor.next().get()), &log_key(user_ref, floor.get()))?;
        // The user's head in memory has the old floor, so it is dropped. If there was a head in
        // memory and the engine has notes, the new row gets a note of the head's number. Otherwise
        // it gets the old row's note.
        let new_note = self.heads.remove_user(user).and_then(|known| self.heads.note(known.head.get()));
        let row = FloorRow { floor, note: new_note.or(row.note), proof: Some(proof), ..row };
        self.tables.floors.insert(&user_ref.to_be_bytes(), &row.encode())?;
        self.tables.oldest.remove(&oldest_key(oldest.at, user_ref))?;
        if let Some(at) = next {
            self.insert_oldest(at, user_ref)?;
        }
        let devices: Vec<(u32, InboxSeq)> = self
            .tables
            .user_devices(user_ref)?
            .map(|device| device.map(|(device_ref, row)| (device_ref, row.cursor)))
            .collect::<Result<_, _>>()?;
        for (device_ref, cursor) in devices {
            self.remove_marks(user_ref, device_ref, cursor, floor)?;
        }
        Ok(removed)
    }

    /// The proof of an entry of a user's inbox. For an entry about a message, this reads the
    /// message's row.
    fn proof(&self, user: UserId, seq: InboxSeq, entry: &EntryRow) -> Result<CursorProof, Failure> {
        match &entry.content {
            Content::Notice(notice) => Ok(CursorProof::new(user, seq, entry.at, &notice.encode())),
            Content::Message(row) => {
                let id = self.tables.messages.find(&row.to_be_bytes(), |mut value| {
                    MessageHeader::decode(&mut value)?;
                    MessageHeader::message_id(&mut value)
                })?;
                let id = id.ok_or(Failure::Damaged("a message has no row in the table `messages`"))?;
                Ok(CursorProof::new(user, seq, entry.at, id.as_bytes()))
            }
        }
    }

    /// Inserts the row in `oldest` for an inbox whose first entry was queued at the time `at`.
    pub(super) fn insert_oldest(&mut self, at: Timestamp, user_ref: u32) -> Result<(), Failure> {
        let key = oldest_key(at, user_ref);
        self.tables.oldest.insert(&key, &[])?;
        self.heads.lower_oldest_bound(key);
        Ok(())
    }
}
