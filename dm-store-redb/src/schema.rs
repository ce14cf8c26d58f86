//! The version of the schema in the database, and the migration to the version of this library.

use dm_core::store::{StoreError, StoreErrorKind};
use dm_store_kv::{Changes as _, Failure, Migration, OldTables, Tables, refuse_newer};
use redb::{
    Database, MultimapTableHandle as _, ReadTransaction, ReadableDatabase, StorageError, TableHandle as _,
    WriteTransaction,
};

use crate::error::from_redb;
use crate::lazy_table::{LazyTable, Transaction};
use crate::table_with_runs::TableWithRuns;
use crate::tables::{self, NAMES, OLD_NAMES, SCHEMA};

/// The version that this library writes.
///
/// - Version 1 has all rows in the main tables.
/// - Version 2 has the newest rows of `dm_sequence` and `dm_inbox` in runs.
/// - Version 3 has the participants in new rows of `dm_conversation_ids`. Older rows stay as they
///   are. `dm-store-kv` counts only changes of rows, and calls this version 2.
/// - Version 4 has records in new tables, and no tables `dm_keys` and `dm_announcements`.
///   `dm-store-kv` calls this version 3.
pub(crate) const VERSION: u32 = 4;

/// The number of rows that are changed between two looks at the progress of a migration.
const ROWS_PER_STEP: usize = 10_000;

/// The key of the version in `dm_schema`.
pub(crate) const VERSION_KEY: &[u8] = b"version";
/// The key of the number of commits in `dm_schema`.
pub(crate) const COMMIT_KEY: &[u8] = b"commit";

/// Checks that this library can use the database. Only reads.
///
/// # Errors
/// - [`StoreErrorKind::NewerSchema`] when a newer version of the library wrote the database.
/// - [`StoreErrorKind::ForeignTables`] when another program's table has a name that begins with
///   `dm_`.
pub(crate) fn check_compatible(database: &impl ReadableDatabase) -> Result<(), StoreError> {
    let transaction = database.begin_read().map_err(from_redb)?;
    refuse_newer(version(&transaction)?, VERSION).map(drop)
}

/// Checks that the database has the schema of this library's version. Only reads.
///
/// # Errors
/// [`StoreErrorKind::Corrupt`] when it has no schema or another version;
/// [`StoreErrorKind::ForeignTables`] as for [`check_compatible`].
pub(crate) fn check_current(database: &impl ReadableDatabase) -> Result<(), StoreError> {
    if version(&database.begin_read().map_err(from_redb)?)? == VERSION {
        return Ok(());
    }
    Err(StoreError::new(
        StoreErrorKind::Corrupt,
        "the tables are missing, or another version of the library has changed them",
    ))
}

/// Migrates the schema to this library's version in one transaction. So after a crash the database
/// has either the old schema or the new one.
pub(crate) fn migrate(database: &Database) -> Result<(), StoreError> {
    let transaction = database.begin_read().map_err(from_redb)?;
    if refuse_newer(version(&transaction)?, VERSION)? == VERSION {
        return Ok(());
    }
    drop(transaction);
    let mut transaction = database.begin_write().map_err(from_redb)?;
    transaction.set_two_phase_commit(true);
    {
        // To version 1: all tables are created empty. To version 2: nothing changes, because a log
        // without a row about its runs has no runs. To version 3: nothing changes, because the rows
        // of both versions can be read. To version 4: rows are changed. If another handle has
        // migrated since the check above, only the version is written a second time. The 1 (rows
        // per run) has no effect, because no row is inserted into a log.
        let mut tables = tables::write(&transaction, 1)?;
        let found = refuse_newer(version_in(&tables.schema.main)?.unwrap_or(0), VERSION)?;
        if (1..VERSION).contains(&found) {
            migrate_rows(&transaction, &mut tables)?;
        }
        tables.schema.insert(VERSION_KEY, &VERSION.to_be_bytes())?;
        for table in tables.all() {
            table.main.table()?;
        }
    }
    transaction.commit().map_err(from_redb)
}

/// Changes the rows of versions 1 to 3 to those of version 4, and deletes the tables that version 4
/// does not have.
fn migrate_rows<'txn>(
    transaction: &'txn WriteTransaction,
    tables: &mut Tables<TableWithRuns<&'txn WriteTransaction>>,
) -> Result<(), Failure> {
    let table = |name| TableWithRuns { main: LazyTable::new(transaction, name), recent: None };
    let mut old = OldTables { keys: table(OLD_NAMES.keys), announcements: table(OLD_NAMES.announcements) };
    let mut migration = Migration::default();
    while !migration.step(tables, &mut old, ROWS_PER_STEP)? {}
    old.keys.main.delete()?;
    old.announcements.main.delete()
}

/// The version of the schema in the database; zero when no table's name begins with `dm_`. Unless
/// the version is newer than this library's, also checks that all tables exist and have the
/// library's types of keys and values.
fn version(transaction: &ReadTransaction) -> Result<u32, StoreError> {
    let names = names(transaction).map_err(from_redb)?;
    if !names.iter().any(|name| name == SCHEMA) {
        return names.first().map_or(Ok(0), |name| {
            Err(foreign(name, "the database has no table `dm_schema` of the library"))
        });
    }
    let found = version_in(&LazyTable::new(transaction, SCHEMA))?;
    let found = found.ok_or_else(|| foreign(SCHEMA, "it has no schema version"))?;
    // Opening fails for a missing table, and for one with other types of keys and values.
    let open = |name| LazyTable::new(transaction, name).table().map(drop);
    let is_old = |name: &str| ![NAMES.records, NAMES.due, NAMES.revisions].contains(&name);
    if found == VERSION {
        NAMES.all().into_iter().try_for_each(open)?;
    } else if found < VERSION {
        NAMES.all().into_iter().filter(|name| is_old(name)).try_for_each(open)?;
        [OLD_NAMES.keys, OLD_NAMES.announcements].into_iter().try_for_each(open)?;
    }
    Ok(found)
}

/// The names of all tables and multimap tables that begin with `dm_`.
fn names(transaction: &ReadTransaction) -> Result<Vec<String>, StorageError> {
    let tables = transaction.list_tables()?.map(|table| table.name().to_owned());
    let multimaps = transaction.list_multimap_tables()?.map(|table| table.name().to_owned());
    Ok(tables.chain(multimaps).filter(|name| name.starts_with("dm_")).collect())
}

/// The error for a table that is not the library's.
fn foreign(name: &str, reason: &str) -> StoreError {
    let text = format!("the table `{name}` is not the library's: {reason}");
    StoreError::new(StoreErrorKind::ForeignTables, text)
}

/// The version in the table `dm_schema`; `None` if the table has no version.
fn version_in(schema: &LazyTable<impl Transaction>) -> Result<Option<u32>, Failure> {
    let Some(value) = schema.get(VERSION_KEY)? else { return Ok(None) };
    let bytes = <[u8; 4]>::try_from(&*value)
        .map_err(|_| Failure::Damaged("the schema's version has a wrong length"))?;
    Ok(Some(u32::from_be_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use redb::backends::InMemoryBackend;

    use super::*;

    fn database() -> Database {
        Database::builder().create_with_backend(InMemoryBackend::new()).unwrap()
    }

    #[test]
    fn every_name_begins_with_dm() {
        let database = database();
        migrate(&database).unwrap();
        let transaction = database.begin_read().unwrap();
        let names: Vec<_> = transaction.list_tables().unwrap().map(|table| table.name().to_owned()).collect();
        assert_eq!(names.len(), 19);
        assert!(names.iter().all(|name| name.starts_with("dm_")), "{names:?}");
    }

    #[test]
    fn migrating_again_changes_nothing() {
        let database = database();
        for _ in 0..2 {
            migrate(&database).unwrap();
            assert_eq!(version(&database.begin_read().unwrap()).unwrap(), VERSION);
        }
    }
}
