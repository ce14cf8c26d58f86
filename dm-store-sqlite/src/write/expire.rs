//! Expires the oldest entries of inboxes.

use std::ops::ControlFlow;

use dm_core::store::{Answer, CursorProof, Expire, InboxSeq, Timestamp, UserId};
use rusqlite::{OptionalExtension, Result, params};

use super::Batch;
use crate::codec;
use crate::recent::read::for_each_row;

impl Batch<'_> {
    /// Removes up to `write.limit` entries that are older than `write.before`, from the inboxes
    /// with the oldest entries.
    pub(super) fn expire(&mut self, write: &Expire) -> Result<Answer> {
        let mut entries = 0;
        while entries < write.limit
            && let Some((user, user_ref)) = self.next_to_expire(write.before)?
        {
            entries += self.expire_inbox((user, user_ref), write.before, write.limit - entries)?;
            self.heads.forget_user(user);
        }
        Ok(Answer::Expired { entries, more: self.next_to_expire(write.before)?.is_some() })
    }

    /// The user with the oldest entry of all inboxes, if that entry is older than `before`: the id
    /// and the `ref`. A time above `i64::MAX` is stored as a negative number, and such an entry
    /// never expires.
    fn next_to_expire(&self, before: Timestamp) -> Result<Option<(UserId, i64)>> {
        self.connection
            .prepare_cached(
                "SELECT pubkey, ref FROM dm_users WHERE oldest_at >= 0 AND oldest_at < ?1
                 ORDER BY oldest_at LIMIT 1",
            )?
            .query_row([codec::u64_to_i64(before.as_millis())], |row| {
                Ok((codec::get_user(row, 0)?, row.get(1)?))
            })
            .optional()
    }

    /// Removes up to `limit` of the oldest entries of one inbox that are older than `before`.
    /// Returns the number of removed entries. Rows in runs stay there until their generation is
    /// deleted; reads skip them, because their numbers are not above the floor.
    fn expire_inbox(
        &self,
        (user, user_ref): (UserId, i64),
        before: Timestamp,
        limit: usize,
    ) -> Result<usize> {
        let floor: i64 = self
            .connection
            .prepare_cached("SELECT inbox_floor FROM dm_users WHERE ref = ?1")?
            .query_row([user_ref], |row| row.get(0))?;
        let (mut removed, mut newest, mut oldest_at) = (0, None, None);
        let statement = "SELECT r.seq, r.at, r.message, r.notice FROM {table} r
                         WHERE {run_condition} AND r.user = +?2 AND r.seq > +?3 ORDER BY r.seq";
        for_each_row(
            self.connection,
            self.recent.runs.inbox_sources(user_ref, floor),
            |source| source.inbox_sql(statement),
            |source| (source.run_number(), user_ref, source.after),
            |row| {
                let at: i64 = row.get(1)?;
                if removed == limit || at < 0 || at >= codec::u64_to_i64(before.as_millis()) {
                    oldest_at = Some(at);
                    return Ok(ControlFlow::Break(()));
                }
                removed += 1;
                newest = Some(Removed { seq: row.get(0)?, at, message: row.get(2)?, notice: row.get(3)? });
                Ok(ControlFlow::Continue(()))
            },
        )?;
        let Some(newest) = newest else {
            self.connection
                .prepare_cached("UPDATE dm_users SET oldest_at = ?2 WHERE ref = ?1")?
                .execute(params![user_ref, oldest_at])?;
            return Ok(removed);
        };
        let proof = self.proof(user, &newest)?;
        self.connection
            .prepare_cached("DELETE FROM dm_inbox WHERE user = ?1 AND seq <= ?2")?
            .execute([user_ref, newest.seq])?;
        self.connection
            .prepare_cached(
                "DELETE FROM dm_acked WHERE seq <= ?2 AND device IN (SELECT ref FROM dm_devices WHERE user = ?1)",
            )?
            .execute([user_ref, newest.seq])?;
        self.connection
            .prepare_cached(
                "UPDATE dm_users SET inbox_floor = ?2, floor_proof = ?3, oldest_at = ?4 WHERE ref = ?1",
            )?
            .execute(params![user_ref, newest.seq, proof.get().cast_signed(), oldest_at])?;
        Ok(removed)
    }

    /// The proof of an entry of a user's inbox.
    fn proof(&self, user: UserId, entry: &Removed) -> Result<CursorProof> {
        let (seq, at) = (InboxSeq::new(entry.seq.cast_unsigned()), codec::time_from_i64(entry.at));
        let Some(message) = entry.message else {
            return Ok(CursorProof::new(user, seq, at, entry.notice.as_deref().unwrap_or_default()));
        };
        let id: [u8; 16] = self
            .connection
            .prepare_cached("SELECT id FROM dm_messages WHERE ref = ?1")?
            .query_row([message], |row| row.get(0))?;
        Ok(CursorProof::new(user, seq, at, &id))
    }
}

/// An entry that expires.
struct Removed {
    seq: i64,
    at: i64,
    /// The `ref` of the message; `None` for a notice.
    message: Option<i64>,
    /// The encoded notice; `None` for a message.
    notice: Option<Vec<u8>>,
}
