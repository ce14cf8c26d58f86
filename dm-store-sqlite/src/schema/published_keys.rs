//! Makes records of published keys and of their announcements, as a part of the sixth migration.

use dm_core::store::{KeyBinding, KeyRecord, KeyVersion, Record, Tag, UserId, X25519Key, key_announcement};
use rusqlite::types::Type;
use rusqlite::{Result, Row, params};

use crate::codec::record::{OwnerBytes, due_to_i64};
use crate::codec::{damaged, fixed_blob, get_number, get_time, get_user};
use crate::database::Database;

/// Stores the current key of each user as the user's fence, and each announcement that is not
/// finished as a job.
///
/// A job begins again, because an announcement went by `ref` and a job goes by id.
pub(super) fn make_records(database: &Database) -> Result<()> {
    let mut select = database.prepare_cached(
        "SELECT u.pubkey, k.key, k.version, k.published_at, k.binding, u.ref
         FROM dm_keys k JOIN dm_users u ON u.ref = k.user
         WHERE k.version = (SELECT max(version) FROM dm_keys WHERE user = k.user)",
    )?;
    let mut set_fence = database.prepare_cached("UPDATE dm_users SET fence = ?2 WHERE ref = ?1")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let fence = key_record(row)?.to_record();
        insert(database, &fence)?;
        set_fence.execute(params![row.get::<_, i64>(5)?, fence.tag.as_bytes()])?;
    }
    let mut select = database.prepare_cached("SELECT publisher, randomblob(16) FROM dm_announcements")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        insert(database, &key_announcement(get_user(row, 0)?, None, Tag::from_bytes(fixed_blob(row, 1)?)))?;
    }
    Ok(())
}

/// Inserts a record of a kind that is not synced.
fn insert(database: &Database, record: &Record) -> Result<()> {
    let Record { key, value, tag, due, revision: _ } = record;
    database
        .prepare_cached(
            "INSERT INTO dm_records (owner, kind, name, value, tag, due, revision)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)",
        )?
        .execute(params![
            OwnerBytes::new(key.owner).as_slice(),
            key.kind.get(),
            key.name.as_bytes(),
            value.as_ref(),
            tag.as_bytes(),
            due.map(due_to_i64)
        ])?;
    Ok(())
}

/// A published key, from the columns `pubkey, key, version, published_at, binding`.
fn key_record(row: &Row<'_>) -> Result<KeyRecord> {
    let user: UserId = get_user(row, 0)?;
    let version = u32::try_from(get_number(row, 2)?).ok().and_then(|version| KeyVersion::new(version).ok());
    let binding = row.get(4).map(KeyBinding::from_code)?;
    Ok(KeyRecord {
        user,
        key: X25519Key::from_stored(fixed_blob(row, 1)?),
        version: version.ok_or_else(|| damaged(2, Type::Integer, "not a key version"))?,
        published_at: get_time(row, 3)?,
        binding: binding.ok_or_else(|| damaged(4, Type::Integer, "not a key binding"))?,
    })
}
