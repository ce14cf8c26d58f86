//! Publishes keys, and announces them to the publisher's peers.

use dm_core::store::{AnnounceKeys, Event, Notice, Outcome, PublishKey, UserId};
use rusqlite::{OptionalExtension, params};

use super::inbox::Content;
use super::{Batch, WriteError};
use crate::codec;

/// A published key about which some peers are not notified yet.
struct Announcement {
    publisher: UserId,
    user_ref: i64,
    /// The peers in conversations up to this `ref` are notified.
    after: i64,
    /// The `ref` of the newest conversation that the publisher had when the key was published.
    until: i64,
}

impl Batch<'_> {
    /// Publishes a key, and creates its announcement if the user has conversations. Changes nothing
    /// if the key is the current one.
    pub(super) fn publish_key(&mut self, write: &PublishKey) -> Result<Outcome, WriteError> {
        let user_ref = self.user_or_new(write.user)?.user_ref;
        let (record, changed) = write.record_after(crate::read::key(self.connection, write.user)?);
        if !changed {
            return Ok(Outcome::KeyPublished { record, changed });
        }
        self.connection
            .prepare_cached(
                "INSERT INTO dm_keys (user, version, key, binding, published_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                user_ref,
                record.version.get(),
                record.key.as_bytes(),
                record.binding.code(),
                codec::time_to_i64(record.published_at)
            ])?;
        // The announcement covers all conversations that exist now. In a later conversation the
        // peer looks the key up.
        self.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO dm_announcements (publisher, user, after, until)
                 SELECT ?1, ?2, 0, max(ref) FROM dm_conversations WHERE a = ?2 OR b = ?2 HAVING max(ref) IS NOT NULL",
            )?
            .execute(params![write.user.as_bytes(), user_ref])?;
        Ok(Outcome::KeyPublished { record, changed })
    }

    /// Appends a notice to the inboxes of up to `write.limit` peers of publishers.
    pub(super) fn announce_keys(&mut self, write: &AnnounceKeys) -> Result<Outcome, WriteError> {
        let mut appended = Vec::new();
        while appended.len() < write.limit
            && let Some(announcement) = self.next_announcement()?
        {
            let max_notices = write.limit - appended.len();
            let peers = self.next_peers(&announcement, max_notices)?;
            if let Some(record) = crate::read::key(self.connection, announcement.publisher)? {
                let notice = Notice::PeerKeyChanged(record);
                for (_, peer) in &peers {
                    let content = Content::Notice(notice.encode());
                    let user = self.user_or_new(*peer)?;
                    appended.push(self.append_entry(
                        (*peer, user),
                        write.at,
                        None,
                        content,
                        Event::Notice(notice),
                    )?);
                }
            }
            let notified = peers.last().map_or(announcement.until, |(conversation, _)| *conversation);
            self.advance_announcement(&announcement, notified)?;
        }
        Ok(Outcome::KeysAnnounced { appended, more: self.next_announcement()?.is_some() })
    }

    /// The announcement whose peers are notified next; `None` if all peers of all publishers are
    /// notified.
    fn next_announcement(&self) -> rusqlite::Result<Option<Announcement>> {
        self.connection
            .prepare_cached(
                "SELECT publisher, user, after, until FROM dm_announcements ORDER BY publisher LIMIT 1",
            )?
            .query_row([], |row| {
                Ok(Announcement {
                    publisher: codec::get_user(row, 0)?,
                    user_ref: row.get(1)?,
                    after: row.get(2)?,
                    until: row.get(3)?,
                })
            })
            .optional()
    }

    /// Up to `limit` conversations whose peers are not notified, in the order in which they were
    /// opened: the `ref` of each conversation, and its peer.
    fn next_peers(&self, announcement: &Announcement, limit: usize) -> rusqlite::Result<Vec<(i64, UserId)>> {
        self.connection
            .prepare_cached(
                "SELECT t.ref, u.pubkey FROM (
                     SELECT ref, b AS peer FROM dm_conversations WHERE a = +?1 AND ref > +?2 AND ref <= +?3
                     UNION ALL
                     SELECT ref, a AS peer FROM dm_conversations WHERE b = +?1 AND ref > +?2 AND ref <= +?3
                     ORDER BY ref LIMIT +?4
                 ) t JOIN dm_users u ON u.ref = t.peer ORDER BY t.ref",
            )?
            .query_map(
                params![
                    announcement.user_ref,
                    announcement.after,
                    announcement.until,
                    codec::usize_to_i64(limit)
                ],
                |row| Ok((row.get(0)?, codec::get_user(row, 1)?)),
            )?
            .collect()
    }

    /// Stores the `ref` of the last conversation whose peer is notified. Deletes the announcement
    /// when all peers are notified.
    fn advance_announcement(&self, announcement: &Announcement, notified: i64) -> rusqlite::Result<()> {
        if notified < announcement.until {
            self.connection
                .prepare_cached("UPDATE dm_announcements SET after = ?2 WHERE publisher = ?1")?
                .execute(params![announcement.publisher.as_bytes(), notified])?;
        } else {
            self.connection
                .prepare_cached("DELETE FROM dm_announcements WHERE publisher = ?1")?
                .execute([announcement.publisher.as_bytes()])?;
        }
        Ok(())
    }
}
