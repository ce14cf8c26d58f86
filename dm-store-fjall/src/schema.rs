//! The schema's version, and the migration to this library's version. The version is stored twice:
//! in a row of the database, and in a marker file of the folder.

use std::io::{ErrorKind, Write};
use std::path::Path;

use dm_core::store::{StoreError, StoreErrorKind};
use dm_store_kv::{Migration, OldTables, SCHEMA_VERSION, Tables, refuse_newer};
use fjall::{Database, KeyspaceCreateOptions, PersistMode};

use crate::config::FjallConfig;
use crate::error::from_fjall;
use crate::rows::{BatchTable, SnapshotTable};
use crate::table::{Table, prefixed};
use crate::tables::{self, NAMES, ROWS, SCHEMA_PREFIX};

/// The schema version that this library writes. It equals the version of the rows' bytes, because
/// the keyspaces have not changed so far.
pub(crate) const VERSION: u32 = SCHEMA_VERSION;

/// The key of the version in the table `schema`.
const VERSION_KEY: &[u8] = b"version";

/// The name of the marker, which is a file in a folder of the store's own. Its content is the
/// schema's version as a decimal number, and a line feed.
///
/// The marker is read before the database is opened, because opening changes the files. The marker
/// is written when the tables are created, and before they are migrated.
const MARKER: &str = "dm_schema";

/// The version in a folder's marker; zero if there is no marker. Changes nothing.
///
/// # Errors
/// [`StoreErrorKind::NewerSchema`] if a newer version of the library wrote the folder;
/// [`StoreErrorKind::Corrupt`] if the marker has no version; errors of the operating system.
pub(crate) fn marker_version(folder: &Path) -> Result<u32, StoreError> {
    refuse_newer(read_marker(folder)?, VERSION)
}

/// Writes this library's version to the marker of a folder, unless the marker has it.
pub(crate) fn write_marker(folder: &Path) -> Result<(), StoreError> {
    if read_marker(folder)? == VERSION {
        return Ok(());
    }
    let write = || {
        let new = folder.join("dm_schema.new");
        let mut file = std::fs::File::create(&new)?;
        file.write_all(format!("{VERSION}\n").as_bytes())?;
        file.sync_all()?;
        std::fs::rename(new, folder.join(MARKER))
    };
    write().map_err(|error| from_fjall(error.into()))
}

/// Migrates the schema to this library's version, and returns the open tables. The version is
/// written last, so that the next open repeats a migration that a crash interrupted. Creating a
/// keyspace that exists changes nothing.
pub(crate) fn migrate(database: &Database, config: &FjallConfig) -> Result<Tables<Table>, StoreError> {
    let found = refuse_newer(stored_version(database)?, VERSION)?;
    let tables = tables::open(database, config).map_err(from_fjall)?;
    if found < VERSION {
        // To version 1: all tables are created empty. To version 2: nothing changes, because the
        // rows of both versions can be read. To version 3: rows are changed.
        if found > 0 {
            migrate_rows(database, &tables)?;
        }
        let mut batch = database.batch().durability(Some(PersistMode::SyncAll));
        tables.schema.write(&mut batch, VERSION_KEY, VERSION.to_be_bytes());
        batch.commit().map_err(from_fjall)?;
    }
    Ok(tables)
}

/// The number of rows that one batch of a migration walks. A batch keeps its changes in memory.
const ROWS_PER_BATCH: usize = 10_000;

/// Changes the rows of versions 1 and 2 to those of version 3, in several batches.
fn migrate_rows(database: &Database, tables: &Tables<Table>) -> Result<(), StoreError> {
    let old_tables = tables::old_tables(tables);
    let mut migration = Migration::default();
    loop {
        let snapshot = database.snapshot();
        let mut changed = tables::batch_tables(tables, &snapshot);
        let table = |table| BatchTable::new(SnapshotTable { snapshot: &snapshot, table });
        let mut old =
            OldTables { keys: table(&old_tables.keys), announcements: table(&old_tables.announcements) };
        let is_done = migration.step(&mut changed, &mut old, ROWS_PER_BATCH)?;
        let mut batch = database.batch().durability(Some(PersistMode::SyncAll));
        tables::write_to(changed, &mut batch);
        old.keys.write_to(&mut batch);
        old.announcements.write_to(&mut batch);
        batch.commit().map_err(from_fjall)?;
        if is_done {
            return Ok(());
        }
    }
}

/// The version of the schema in the database; zero if there is no schema, or if its creation was
/// interrupted. Changes nothing.
///
/// # Errors
/// [`StoreErrorKind::ForeignTables`] when the name of a keyspace begins with `dm_`, but the
/// keyspace is not the library's.
pub(crate) fn stored_version(database: &Database) -> Result<u32, StoreError> {
    let names: Vec<_> =
        database.list_keyspace_names().into_iter().filter(|name| name.starts_with("dm_")).collect();
    let open = |name: &str| database.keyspace(name, KeyspaceCreateOptions::default).map_err(from_fjall);
    if names.iter().any(|name| &**name == ROWS)
        && let Some(value) = open(ROWS)?.get(prefixed(SCHEMA_PREFIX, VERSION_KEY)).map_err(from_fjall)?
    {
        let version = <[u8; 4]>::try_from(&*value)
            .map_err(|_| foreign_keyspace(ROWS, "its row `version` has no schema version"))?;
        return Ok(u32::from_be_bytes(version));
    }
    for name in names {
        // The version is the first row that the library writes. So without a version, the keyspaces
        // of the library are empty.
        if !NAMES.contains(&&*name) || !open(&name)?.is_empty().map_err(from_fjall)? {
            return Err(foreign_keyspace(&name, "the database has no schema version of the library"));
        }
    }
    Ok(0)
}

/// The error that a keyspace is not the library's, with the reason for an operator.
fn foreign_keyspace(name: &str, reason: &str) -> StoreError {
    let what = format!("the keyspace `{name}` is not the library's: {reason}");
    StoreError::new(StoreErrorKind::ForeignTables, what)
}

/// Reads the version in the marker of a folder; zero if there is no marker.
fn read_marker(folder: &Path) -> Result<u32, StoreError> {
    match std::fs::read_to_string(folder.join(MARKER)) {
        Ok(text) => text.strip_suffix('\n').and_then(|version| version.parse().ok()).ok_or_else(|| {
            StoreError::new(
                StoreErrorKind::Corrupt,
                "the file `dm_schema` in the folder has no schema version",
            )
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(from_fjall(error.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_begins_with_dm() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::builder(folder.path()).open().unwrap();
        migrate(&database, &FjallConfig::default()).unwrap();
        let names = database.list_keyspace_names();
        assert_eq!(names.len(), 3);
        assert!(names.iter().all(|name| name.starts_with("dm_")), "{names:?}");
    }

    #[test]
    fn migrating_again_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::builder(folder.path()).open().unwrap();
        assert_eq!(stored_version(&database).unwrap(), 0);
        for _ in 0..2 {
            migrate(&database, &FjallConfig::default()).unwrap();
            assert_eq!(stored_version(&database).unwrap(), VERSION);
        }
    }

    #[test]
    fn an_interrupted_migration_is_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::builder(folder.path()).open().unwrap();
        database.keyspace(ROWS, KeyspaceCreateOptions::default).unwrap();
        assert_eq!(stored_version(&database).unwrap(), 0);
        migrate(&database, &FjallConfig::default()).unwrap();
        assert_eq!(stored_version(&database).unwrap(), VERSION);
    }

    #[test]
    fn a_marker_without_a_number_is_corrupt() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(marker_version(folder.path()).unwrap(), 0);
        write_marker(folder.path()).unwrap();
        assert_eq!(marker_version(folder.path()).unwrap(), VERSION);
        std::fs::write(folder.path().join(MARKER), "two\n").unwrap();
        assert_eq!(marker_version(folder.path()).unwrap_err().kind(), StoreErrorKind::Corrupt);
        std::fs::write(folder.path().join(MARKER), format!("{}\n", VERSION + 1)).unwrap();
        assert_eq!(marker_version(folder.path()).unwrap_err().kind(), StoreErrorKind::NewerSchema);
    }
}
