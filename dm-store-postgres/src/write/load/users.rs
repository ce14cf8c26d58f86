//! Locking users, and inserting rows for users who have none.

use uuid::Uuid;

use crate::codec;
use crate::error::Fault;
use crate::write::load::rows::RowKind;
use crate::write::lock_set::LockSet;
use crate::write::pipeline::{Pipeline, param};

/// Inserts rows for users who have none, in the order of their user ids.
const ENSURE_USERS: &str = "INSERT INTO users (id)
    SELECT n.id FROM unnest($1::bytea[]) AS n(id) ORDER BY n.id ON CONFLICT (id) DO NOTHING";

/// Locks the users of the lock set, and the participants of its uncached conversations, in the
/// order of their user ids. Every other row that a batch changes belongs to one of these users, so
/// a batch does not wait for the lock of any other row.
pub(super) const LOCK_USERS: &str = "SELECT u.id, u.inbox_head, u.inbox_floor, u.oldest_at, u.conversations,
           u.registrations, u.key_version, u.key, u.key_binding, u.key_published_at
    FROM users u
    WHERE u.id IN (SELECT unnest($1::bytea[])
                   UNION SELECT c.a FROM conversations c WHERE c.id = ANY ($2::uuid[])
                   UNION SELECT c.b FROM conversations c WHERE c.id = ANY ($2::uuid[]))
    ORDER BY u.id FOR UPDATE OF u";

/// Adds the statement that inserts rows for the users of `lock_set.ensured` who have none.
pub(in crate::write) async fn ensure_users(
    pipeline: &mut Pipeline<'_>,
    kinds: &mut Vec<RowKind>,
    lock_set: &LockSet,
) -> Result<(), Fault> {
    if !lock_set.ensured.is_empty() {
        let users: Vec<Vec<u8>> = lock_set.ensured.iter().map(|user| user.as_bytes().to_vec()).collect();
        pipeline.add(ENSURE_USERS, vec![param(users)]).await?;
        kinds.push(RowKind::Ignored);
    }
    Ok(())
}

/// Adds the statement that locks all users of a batch. The caller adds the kind of the returned
/// rows: [`RowKind::Users`] to load them, or [`RowKind::Ignored`].
pub(in crate::write) async fn lock_users(
    pipeline: &mut Pipeline<'_>,
    lock_set: &LockSet,
) -> Result<(), Fault> {
    let users: Vec<Vec<u8>> = lock_set.users.iter().map(|user| user.as_bytes().to_vec()).collect();
    let uncached: Vec<Uuid> = lock_set.uncached.iter().map(|id| codec::uuid(id.as_bytes())).collect();
    pipeline.add(LOCK_USERS, vec![param(users), param(uncached)]).await
}
