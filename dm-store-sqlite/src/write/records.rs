//! Records, the fences among them, and the revisions of users.

use dm_core::store::{Owner, Record, RecordKey, Revisions, Tag, UserId};
use rusqlite::{Result, params};

use super::Batch;
use crate::codec::record::{OwnerBytes, due_to_i64};
use crate::codec::u64_to_i64;
use crate::read::records;

impl Batch<'_> {
    /// The tag of a fence. A user's and a conversation's is in memory, as a send may name it.
    pub(super) fn fence_tag(&mut self, owner: Owner) -> Result<Option<Tag>> {
        match owner {
            Owner::User(user) => return Ok(self.user(user)?.and_then(|user| user.fence)),
            Owner::Conversation(id) => {
                if let Some(known) = self.heads.conversation(self.connection, self.recent, id)? {
                    return Ok(known.fence);
                }
            }
            Owner::Store => {}
        }
        Ok(records::record(self.connection, &RecordKey::fence(owner))?.map(|record| record.tag))
    }

    /// Stores a record, in place of `old`.
    pub(super) fn put_record(&mut self, record: &Record, old: Option<&Record>) -> Result<()> {
        let Record { key, value, tag, due, revision } = record;
        let sql = if old.is_some() {
            "UPDATE dm_records SET value = ?4, tag = ?5, due = ?6, revision = ?7
             WHERE owner = +?1 AND kind = +?2 AND name = +?3"
        } else {
            "INSERT INTO dm_records (owner, kind, name, value, tag, due, revision)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
        };
        self.connection.prepare_cached(sql)?.execute(params![
            OwnerBytes::new(key.owner).as_slice(),
            key.kind.get(),
            key.name.as_bytes(),
            value.as_ref(),
            tag.as_bytes(),
            due.map(due_to_i64),
            u64_to_i64(revision.get())
        ])?;
        if key.is_fence() {
            self.update_fence(key.owner, Some(*tag))?;
        }
        Ok(())
    }

    /// Deletes a record.
    pub(super) fn remove_record(&mut self, key: &RecordKey) -> Result<()> {
        self.connection
            .prepare_cached("DELETE FROM dm_records WHERE owner = +?1 AND kind = +?2 AND name = +?3")?
            .execute(params![OwnerBytes::new(key.owner).as_slice(), key.kind.get(), key.name.as_bytes()])?;
        if key.is_fence() {
            self.update_fence(key.owner, None)?;
        }
        Ok(())
    }

    /// Replaces the revisions of a user.
    pub(super) fn update_revisions(&mut self, user: UserId, revisions: Revisions) -> Result<()> {
        let user_ref = self.user_or_new(user)?.inbox.user_ref;
        let (head, floor) = (u64_to_i64(revisions.head.get()), u64_to_i64(revisions.floor.get()));
        self.connection
            .prepare_cached("UPDATE dm_users SET revision = ?2, revision_floor = ?3 WHERE ref = ?1")?
            .execute([user_ref, head, floor])?;
        Ok(())
    }

    /// Copies the tag of a fence into the row of its owner. A conversation that does not exist yet
    /// gets the tag when it is opened.
    fn update_fence(&mut self, owner: Owner, fence: Option<Tag>) -> Result<()> {
        let tag = fence.as_ref().map(Tag::as_bytes);
        match owner {
            Owner::User(user) => {
                let user_ref = self.user_or_new(user)?.inbox.user_ref;
                self.connection
                    .prepare_cached("UPDATE dm_users SET fence = ?2 WHERE ref = ?1")?
                    .execute(params![user_ref, tag])?;
                if let Some(known) = self.heads.user_mut(user) {
                    known.fence = fence;
                }
            }
            Owner::Conversation(id) => {
                self.connection
                    .prepare_cached("UPDATE dm_conversations SET fence = ?2 WHERE id = ?1")?
                    .execute(params![id.as_bytes(), tag])?;
                if let Some(known) = self.heads.conversation_mut(id) {
                    known.fence = fence;
                }
            }
            Owner::Store => {}
        }
        Ok(())
    }
}
