//! Expires the oldest entries of inboxes.

use std::ops::ControlFlow;

use dm_core::store::{Expire, Outcome, Timestamp, UserId};
use rusqlite::{OptionalExtension, params};

use super::{Batch, WriteError};
use crate::codec;
use crate::recent::read::for_each_row;

impl Batch<'_> {
    /// Removes up to `write.limit` entries that are older than `write.before`, from the inboxes
    /// with the oldest entries.
    pub(super) fn expire(&mut self, write: &Expire) -> Result<Outcome, WriteError> {
        let mut entries = 0;
        while entries < write.limit
            && let Some((user, user_ref)) = self.next_to_expire(write.before)?
        {
            entries += self.expire_inbox(user_ref, write.before, write.limit - entries)?;
            self.heads.forget_user(user);
        }
        Ok(Outcome::Expired { entries, more: self.next_to_expire(write.before)?.is_some() })
    }

    /// The user with the oldest entry of all inboxes, if that entry is older than `before`: the id
    /// and the `ref`. A time above `i64::MAX` is stored as a negative number, and such an entry
    /// never expires.
    fn next_to_expire(&self, before: Timestamp) -> rusqlite::Result<Option<(UserId, i64)>> {
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
    fn expire_inbox(&self, user_ref: i64, before: Timestamp, limit: usize) -> rusqlite::Result<usize> {
        let floor: i64 = self
            .connection
            .prepare_cached("SELECT inbox_floor FROM dm_users WHERE ref = ?1")?
            .query_row([user_ref], |row| row.get(0))?;
        let (mut removed, mut floor_after, mut oldest_at) = (0, None, None);
        let statement = "SELECT r.seq, r.at FROM {table} r
                         WHERE {run_condition} AND r.user = +?2 AND r.seq > +?3 ORDER BY r.seq";
        for_each_row(
            self.connection,
            self.recent.runs.inbox_sources(user_ref, floor),
            |source| source.inbox_sql(statement),
            |source| (source.run_number(), user_ref, source.after),
            |row| {
                let (seq, at): (i64, i64) = (row.get(0)?, row.get(1)?);
                if removed == limit || at < 0 || at >= codec::u64_to_i64(before.as_millis()) {
                    oldest_at = Some(at);
                    return Ok(ControlFlow::Break(()));
                }
                removed += 1;
                floor_after = Some(seq);
                Ok(ControlFlow::Continue(()))
            },
        )?;
        let floor = floor_after;
        if let Some(floor) = floor {
            self.connection
                .prepare_cached("DELETE FROM dm_inbox WHERE user = ?1 AND seq <= ?2")?
                .execute([user_ref, floor])?;
            self.connection
                .prepare_cached(
                    "DELETE FROM dm_acked WHERE seq <= ?2 AND device IN (SELECT ref FROM dm_devices WHERE user = ?1)",
                )?
                .execute([user_ref, floor])?;
        }
        self.connection
            .prepare_cached(
                "UPDATE dm_users SET inbox_floor = coalesce(?2, inbox_floor), oldest_at = ?3 WHERE ref = ?1",
            )?
            .execute(params![user_ref, floor, oldest_at])?;
        Ok(removed)
    }
}
