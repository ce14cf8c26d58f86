//! Expiring the oldest entries of inboxes.
//!
//! The write [`Expire`] names no user and never waits for a lock. It skips users whose rows another
//! transaction has locked. If it skips some, its answer says that more entries can expire.

use std::collections::HashMap;

use dm_core::store::{Answer, CursorProof, Expire};
use tokio_postgres::Row;

use crate::codec;
use crate::connection::TimedClient;
use crate::error::Fault;
use crate::write::pipeline::{Pipeline, param};

/// The maximum number of inboxes that [`LOCK_OLDEST`] locks at once. The locks are held until the
/// commit, so a higher number would make more sends wait.
const MAX_INBOXES: i64 = 16;

/// Locks up to `$2` users who have entries from before `$1`, those with the oldest entries first.
pub(super) const LOCK_OLDEST: &str = "SELECT u.id, u.inbox_floor FROM users u
    WHERE u.oldest_at < $1 ORDER BY u.oldest_at LIMIT $2 FOR NO KEY UPDATE OF u SKIP LOCKED";

/// Reads, for each user of the arrays, up to `$3` of the oldest entries above the floor.
pub(super) const OLDEST_ENTRIES: &str = "SELECT n.id, e.seq, e.at
    FROM unnest($1::bytea[], $2::bigint[]) WITH ORDINALITY AS n(id, floor, place)
    CROSS JOIN LATERAL (SELECT i.seq, i.at FROM inbox i WHERE i.user_id = n.id AND i.seq > n.floor
                        ORDER BY i.seq LIMIT $3) e
    ORDER BY n.place, e.seq";

/// Reads the entries that are about to become the newest expired ones.
pub(super) const FLOOR_ENTRIES: &str = "SELECT i.user_id, i.seq, i.at, i.notice, m.id
    FROM unnest($1::bytea[], $2::bigint[]) AS n(id, floor)
    JOIN inbox i ON i.user_id = n.id AND i.seq = n.floor
    LEFT JOIN messages m ON m.conversation = i.conversation AND m.seq = i.message_seq";

/// Deletes each user's entries up to the new floor.
pub(super) const DELETE_ENTRIES: &str = "DELETE FROM inbox i
    USING unnest($1::bytea[], $2::bigint[]) AS n(id, floor) WHERE i.user_id = n.id AND i.seq <= n.floor";

/// Deletes the individual acknowledgements of entries up to the new floor.
const DELETE_ACKED: &str = "DELETE FROM acked k
    USING unnest($1::bytea[], $2::bigint[]) AS n(id, floor) WHERE k.user_id = n.id AND k.seq <= n.floor";

/// Sets the new floor with its proof, and the time of the oldest entry that remains. A floor that
/// stays keeps its proof.
const RAISE_FLOORS: &str = "UPDATE users u SET inbox_floor = n.floor, oldest_at = n.oldest_at,
        floor_proof = CASE WHEN u.inbox_floor = n.floor THEN u.floor_proof ELSE n.proof END
    FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[]) AS n(id, floor, oldest_at, proof)
    WHERE u.id = n.id";

/// The expiry of one inbox.
struct InboxExpiry {
    user: Vec<u8>,
    /// The number of the newest entry to delete; the inbox's present floor if none is deleted.
    floor: i64,
    /// The time of the oldest entry that remains; `None` if no entry remains.
    oldest_at: Option<i64>,
    /// Whether the oldest entry that remains was found.
    is_complete: bool,
}

/// Deletes up to `write.limit` entries from before `write.before`, from the inboxes with the oldest
/// entries, and says whether such entries remain.
pub(crate) async fn expire(client: TimedClient<'_>, write: &Expire) -> Result<Answer, Fault> {
    let before = codec::time_to_i64(write.before);
    let mut entries = 0;
    while entries < write.limit {
        let max_entries = write.limit - entries;
        let mut pipeline = Pipeline::new(client);
        let limit = MAX_INBOXES.min(codec::usize_to_i64(max_entries));
        pipeline.add(LOCK_OLDEST, vec![param(before), param(limit)]).await?;
        let users = pipeline.execute().await?.next().unwrap_or_default();
        if users.is_empty() {
            break;
        }
        let mut inboxes = Vec::with_capacity(users.len());
        for row in &users {
            let (user, floor) = (row.try_get(0)?, row.try_get(1)?);
            inboxes.push(InboxExpiry { user, floor, oldest_at: None, is_complete: false });
        }
        entries += find_floors(client, &mut inboxes, before, max_entries).await?;
        delete(client, &inboxes).await?;
    }
    let mut pipeline = Pipeline::new(client);
    pipeline.add("SELECT EXISTS (SELECT FROM users WHERE oldest_at < $1)", vec![param(before)]).await?;
    let more = pipeline.execute().await?.flatten().next();
    let more = more.map(|row| row.try_get(0)).transpose()?.unwrap_or(false);
    Ok(Answer::Expired { entries, more })
}

/// Finds the new floor of each inbox, and the time of the oldest entry that remains, and stores
/// them in `inboxes`. Returns the number of entries to delete, at most `max_entries`.
async fn find_floors(
    client: TimedClient<'_>,
    inboxes: &mut [InboxExpiry],
    before: i64,
    max_entries: usize,
) -> Result<usize, Fault> {
    let mut pipeline = Pipeline::new(client);
    let users: Vec<&[u8]> = inboxes.iter().map(|inbox| inbox.user.as_slice()).collect();
    let floors: Vec<i64> = inboxes.iter().map(|inbox| inbox.floor).collect();
    // One entry more than may be deleted is read, because it is the oldest entry that remains.
    let max_rows = codec::usize_to_i64(max_entries.saturating_add(1));
    pipeline.add(OLDEST_ENTRIES, vec![param(users), param(floors), param(max_rows)]).await?;
    let rows = pipeline.execute().await?.next().unwrap_or_default();
    let mut removed = 0;
    let mut remaining = inboxes.iter_mut();
    let mut inbox = remaining.next();
    for row in rows {
        let user: &[u8] = row.try_get(0)?;
        while inbox.as_ref().is_some_and(|inbox| inbox.user != user) {
            inbox = remaining.next();
        }
        let Some(inbox) = inbox.as_mut().filter(|inbox| !inbox.is_complete) else { continue };
        let at: i64 = row.try_get(2)?;
        if removed == max_entries || at >= before {
            (inbox.oldest_at, inbox.is_complete) = (Some(at), true);
        } else {
            inbox.floor = row.try_get(1)?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Deletes the entries up to each inbox's new floor and their acknowledgements, and stores the
/// floors with their proofs.
async fn delete(client: TimedClient<'_>, inboxes: &[InboxExpiry]) -> Result<(), Fault> {
    let users: Vec<&[u8]> = inboxes.iter().map(|inbox| inbox.user.as_slice()).collect();
    let floors: Vec<i64> = inboxes.iter().map(|inbox| inbox.floor).collect();
    let oldest: Vec<Option<i64>> = inboxes.iter().map(|inbox| inbox.oldest_at).collect();
    let mut pipeline = Pipeline::new(client);
    pipeline.add(FLOOR_ENTRIES, vec![param(users.clone()), param(floors.clone())]).await?;
    pipeline.add(DELETE_ENTRIES, vec![param(users.clone()), param(floors.clone())]).await?;
    pipeline.add(DELETE_ACKED, vec![param(users.clone()), param(floors.clone())]).await?;
    let mut proofs = HashMap::new();
    for row in pipeline.execute().await?.next().unwrap_or_default() {
        proofs.insert(row.try_get::<_, Vec<u8>>(0)?, proof(&row)?);
    }
    let proofs: Vec<Option<i64>> =
        users.iter().map(|user| proofs.get(*user).copied().flatten().map(codec::proof)).collect();
    let mut pipeline = Pipeline::new(client);
    pipeline.add(RAISE_FLOORS, vec![param(users), param(floors), param(oldest), param(proofs)]).await?;
    pipeline.execute().await?;
    Ok(())
}

/// The proof of an entry, from a row of [`FLOOR_ENTRIES`]; `None` for an entry whose message does
/// not exist.
fn proof(row: &Row) -> Result<Option<CursorProof>, Fault> {
    let notice: Option<&[u8]> = row.try_get(3)?;
    let message = row.try_get::<_, Option<uuid::Uuid>>(4)?;
    let about = notice.or(message.as_ref().map(|id| id.as_bytes().as_slice()));
    let (user, seq, at) = (codec::get_user(row, 0)?, codec::get_seq(row, 1)?, codec::get_time(row, 2)?);
    Ok(about.map(|about| CursorProof::new(user, seq, at, about)))
}
