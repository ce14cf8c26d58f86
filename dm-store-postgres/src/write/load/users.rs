//! Locking users and the guards of records, and reading users.

use dm_core::store::UserId;
use uuid::Uuid;

use crate::codec;
use crate::error::Fault;
use crate::write::load::rows::{RowKind, USER_COLUMNS};
use crate::write::lock_set::LockSet;
use crate::write::pipeline::{Pipeline, param};

/// Inserts rows for users who have none, in the order of their user ids.
const ENSURE_USERS: &str = "INSERT INTO users (id)
    SELECT n.id FROM unnest($1::bytea[]) AS n(id) ORDER BY n.id ON CONFLICT (id) DO NOTHING";

/// Inserts guards that do not exist, and locks all guards, in the order of owners and kinds.
const LOCK_GUARDS: &str = "INSERT INTO record_guards (owner, kind)
    SELECT n.owner, n.kind FROM unnest($1::bytea[], $2::integer[]) AS n(owner, kind)
    ORDER BY n.owner, n.kind
    ON CONFLICT (owner, kind) DO UPDATE SET kind = excluded.kind";

/// Locks the users of the lock set, and the participants of its uncached conversations, in the
/// order of their user ids. Every other row that a batch changes belongs to one of these users or
/// has a guard, so a batch does not wait for the lock of any other row.
///
/// The lock is the one that an `UPDATE` of these rows takes, so all statements that lock users take
/// the same lock.
pub(super) fn lock_users_statement() -> String {
    format!(
        "SELECT {USER_COLUMNS} FROM users u
         WHERE u.id IN (SELECT unnest($1::bytea[])
                        UNION SELECT c.a FROM conversations c WHERE c.id = ANY ($2::uuid[])
                        UNION SELECT c.b FROM conversations c WHERE c.id = ANY ($2::uuid[]))
         ORDER BY u.id FOR NO KEY UPDATE OF u"
    )
}

/// Adds the statement that inserts rows for the users of `lock_set.ensured` who have none.
pub(in crate::write) async fn ensure_users(
    pipeline: &mut Pipeline<'_>,
    kinds: &mut Vec<RowKind>,
    lock_set: &LockSet,
) -> Result<(), Fault> {
    if !lock_set.ensured.is_empty() {
        let users: Vec<Vec<u8>> = lock_set.ensured.iter().map(bytes).collect();
        pipeline.add(ENSURE_USERS, vec![param(users)]).await?;
        kinds.push(RowKind::Ignored);
    }
    Ok(())
}

/// Adds the statement that locks all users of a batch. The caller adds the kind of the returned
/// rows: [`RowKind::Users`] to load them, or [`RowKind::Ignored`].
pub(super) async fn lock_users(pipeline: &mut Pipeline<'_>, lock_set: &LockSet) -> Result<(), Fault> {
    let users: Vec<Vec<u8>> = lock_set.users.iter().map(bytes).collect();
    let uncached: Vec<Uuid> = lock_set.uncached.iter().map(|id| codec::uuid(id.as_bytes())).collect();
    pipeline.add(lock_users_statement(), vec![param(users), param(uncached)]).await
}

/// Adds the statement that locks the guards of a batch. The users must be locked before.
pub(super) async fn lock_guards(
    pipeline: &mut Pipeline<'_>,
    kinds: &mut Vec<RowKind>,
    lock_set: &LockSet,
) -> Result<(), Fault> {
    if !lock_set.guards.is_empty() {
        let owners: Vec<Vec<u8>> = lock_set.guards.iter().map(|(owner, _)| codec::owner(*owner)).collect();
        let record_kinds: Vec<i32> = lock_set.guards.iter().map(|(_, kind)| codec::kind(*kind)).collect();
        pipeline.add(LOCK_GUARDS, vec![param(owners), param(record_kinds)]).await?;
        kinds.push(RowKind::Ignored);
    }
    Ok(())
}

fn bytes(user: &UserId) -> Vec<u8> {
    user.as_bytes().to_vec()
}
