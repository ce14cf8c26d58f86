//! Publishing keys, and announcing them to the publisher's peers.

use dm_core::store::{AnnounceKeys, Notice, Outcome, PublishKey, UserId};

use super::{BatchWriter, WriteError};
use crate::codec::{Announcement, Fields, key_value, refs_key};
use crate::failure::Failure;
use crate::rows::{Changes, RowsExt as _};

impl<T: Changes> BatchWriter<'_, T> {
    /// Publishes a user's key, and stores an announcement if the user has conversations. The
    /// announcement is carried out by [`announce_keys`](Self::announce_keys).
    pub(super) fn publish_key(&mut self, write: &PublishKey) -> Result<Outcome, WriteError> {
        let user_ref = self.user_or_new(write.user)?.user_ref;
        let (record, changed) = write.record_after(self.tables.key(write.user)?);
        if !changed {
            return Ok(Outcome::KeyPublished { record, changed });
        }
        self.tables.keys.insert(&refs_key(user_ref, record.version.get()), &key_value(&record))?;
        // The announcement covers all conversations that exist now. In a conversation that is
        // opened later, the peer looks up the newest key.
        let (from, to) = (refs_key(user_ref, 0), refs_key(user_ref, u32::MAX));
        let newest = self.tables.members.last_in(&from, &to, |mut key, _| {
            key.skip_ref()?;
            key.last(Fields::u32)
        })?;
        if let Some(until) = newest {
            let announcement = Announcement { user: user_ref, after: 0, until };
            self.tables.announcements.insert(write.user.as_bytes(), &announcement.encode())?;
        }
        Ok(Outcome::KeyPublished { record, changed })
    }

    /// Appends notices of published keys to the inboxes of peers, at most `limit` of them.
    pub(super) fn announce_keys(&mut self, write: &AnnounceKeys) -> Result<Outcome, WriteError> {
        let mut appended = Vec::new();
        while appended.len() < write.limit
            && let Some((publisher, announcement)) = self.next_announcement()?
        {
            let peers = self.peers(announcement, write.limit - appended.len())?;
            if let Some(record) = self.tables.key(publisher)? {
                for (_, peer) in &peers {
                    let notice = Notice::PeerKeyChanged(record);
                    appended.push(self.append_notice(*peer, write.at, None, notice)?);
                }
            }
            // If no peers remain, the announcement is completed.
            let last_notified = peers.last().map_or(announcement.until, |(conversation, _)| *conversation);
            self.update_announcement(publisher, announcement, last_notified)?;
        }
        Ok(Outcome::KeysAnnounced { appended, more: self.next_announcement()?.is_some() })
    }

    /// The first announcement that is not completed, with its publisher; `None` if there is none.
    fn next_announcement(&self) -> Result<Option<(UserId, Announcement)>, Failure> {
        // The upper bound is longer than a key, so it is above every key.
        let first = self.tables.announcements.scan(&[], &[u8::MAX; 33])?.next().transpose()?;
        let Some((key, value)) = first else { return Ok(None) };
        let publisher = Fields::new(&key).last(Fields::user)?;
        Ok(Some((publisher, Announcement::decode(Fields::new(&value))?)))
    }

    /// The next conversations of an announcement, at most `limit`, in the order in which they were
    /// opened: the ref of each, and the publisher's peer in it.
    fn peers(&self, announcement: Announcement, limit: usize) -> Result<Vec<(u32, UserId)>, Failure> {
        let Announcement { user, after, until } = announcement;
        let from = refs_key(user, after.saturating_add(1));
        self.tables
            .members
            .scan(&from, &refs_key(user, until))?
            .take(limit)
            .map(|member| {
                let (key, peer) = member?;
                let mut key = Fields::new(&key);
                key.skip_ref()?;
                let conversation = key.last(Fields::u32)?;
                let peer = Fields::new(&peer).last(Fields::u32)?;
                Ok((conversation, self.tables.user_by_ref(peer)?))
            })
            .collect()
    }

    /// Stores the progress of an announcement, or removes it if it is completed. `last_notified` is
    /// the ref of the last conversation whose peer got the notice.
    fn update_announcement(
        &mut self,
        publisher: UserId,
        announcement: Announcement,
        last_notified: u32,
    ) -> Result<(), Failure> {
        let key = *publisher.as_bytes();
        if last_notified < announcement.until {
            let remaining = Announcement { after: last_notified, ..announcement };
            self.tables.announcements.insert(&key, &remaining.encode())
        } else {
            self.tables.announcements.remove(&key)
        }
    }
}
