//! Publishing keys.

use dm_core::store::{Outcome, PublishKey};

use crate::write::state::{BatchState, Stop};

impl BatchState {
    /// Publishes a user's key. If it differs from the current key, also records an announcement for
    /// the peers of the user's conversations. The peers get their notices from a later
    /// [`AnnounceKeys`](dm_core::store::AnnounceKeys).
    pub(super) fn publish_key(&mut self, write: &PublishKey) -> Result<Outcome, Stop> {
        let user = self.user(write.user)?;
        let (record, changed) = write.record_after(user.key);
        if !changed {
            return Ok(Outcome::KeyPublished { record, changed });
        }
        (user.key, user.has_new_key) = (Some(record), true);
        // The peers of all conversations that exist now get a notice. The peer of a later
        // conversation looks the key up.
        let until = user.conversations;
        if until > 0 {
            self.announcements.insert(write.user, until);
        }
        Ok(Outcome::KeyPublished { record, changed })
    }
}
