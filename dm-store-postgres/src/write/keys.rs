//! Publishing keys.

use dm_core::store::{KeyRecord, KeyVersion, Outcome, PublishKey};

use super::book::{Book, Stop};

impl Book {
    pub(super) fn publish_key(&mut self, write: &PublishKey) -> Result<Outcome, Stop> {
        let user = self.user(write.user)?;
        if let Some(record) = user.key.filter(|current| current.key == write.key) {
            return Ok(Outcome::KeyPublished { record, changed: false });
        }
        let record = KeyRecord {
            user: write.user,
            key: write.key,
            version: user.key.map_or(KeyVersion::FIRST, |current| current.version.next()),
            published_at: write.at,
            binding: write.binding,
        };
        (user.key, user.has_new_key) = (Some(record), true);
        // All conversations open now; in those opened later the peer looks the key up.
        let until = user.conversations;
        if until > 0 {
            self.announcements.insert(write.user, until);
        }
        Ok(Outcome::KeyPublished { record, changed: true })
    }
}
