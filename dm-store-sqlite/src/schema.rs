//! The version of the schema in the file, and the migrations to the version of this library.

use dm_core::store::{StoreError, StoreErrorKind};
use rusqlite::TransactionBehavior;

use crate::database::Database;
use crate::error::from_sqlite;
use crate::ownership;

/// The migrations in order. The *n*th migration, counted from 1, leads to version *n*. A released
/// migration never changes.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_initial.sql"),
    include_str!("../migrations/0002_recent_rows.sql"),
    include_str!("../migrations/0003_more_runs.sql"),
    include_str!("../migrations/0004_inbox_heads.sql"),
    include_str!("../migrations/0005_last_writer.sql"),
];

/// The version of the schema that this library reads and writes.
pub(crate) const VERSION: usize = MIGRATIONS.len();

/// Checks that this library can use the file. Only reads.
///
/// # Errors
/// - [`StoreErrorKind::NewerSchema`] when a newer version of the library wrote the file.
/// - [`StoreErrorKind::ForeignTables`] when tables with the store's names are not the store's.
pub(crate) fn examine(database: &Database) -> Result<(), StoreError> {
    // All reads see one snapshot, even while another process writes.
    let _snapshot = database.transaction(TransactionBehavior::Deferred).map_err(from_sqlite)?;
    version_in_file(database, MIGRATIONS).map(drop)
}

/// Checks that the file has the schema of this library's version. Only reads.
///
/// # Errors
/// [`StoreErrorKind::Corrupt`] when the file has no schema or an older one; the errors of
/// [`examine`].
pub(crate) fn expect_current(database: &Database) -> Result<(), StoreError> {
    let _snapshot = database.transaction(TransactionBehavior::Deferred).map_err(from_sqlite)?;
    if version_in_file(database, MIGRATIONS)? == MIGRATIONS.len() {
        return Ok(());
    }
    Err(StoreError::new(StoreErrorKind::Corrupt, "the file does not have the tables of this version"))
}

/// Migrates the schema to this library's version in one transaction, so that the file has the old
/// schema or the new one after a crash.
pub(crate) fn migrate(database: &Database) -> Result<(), StoreError> {
    migrate_with(database, MIGRATIONS, |_| ())
}

/// Migrates as [`migrate`] does, and calls `reached` at each point at which a test kills the
/// process. With *n* migrations, the argument of `reached` is:
///
/// - before a migration runs, its index;
/// - before the version is written, *n*;
/// - before the commit, *n* + 1;
/// - after the commit, *n* + 2.
fn migrate_with(database: &Database, migrations: &[&str], reached: impl Fn(usize)) -> Result<(), StoreError> {
    let snapshot = database.transaction(TransactionBehavior::Deferred).map_err(from_sqlite)?;
    if version_in_file(database, migrations)? == migrations.len() {
        return Ok(());
    }
    drop(snapshot);
    let transaction = database.transaction(TransactionBehavior::Immediate).map_err(from_sqlite)?;
    // Another process may have migrated the schema while this process waited for the lock.
    let current = version_in_file(database, migrations)?;
    for (number, step) in migrations.iter().enumerate().skip(current) {
        reached(number);
        database.execute_batch(step).map_err(from_sqlite)?;
    }
    reached(migrations.len());
    database
        .execute("UPDATE dm_schema SET version = ?1", [crate::codec::usize_to_i64(migrations.len())])
        .map_err(from_sqlite)?;
    reached(migrations.len() + 1);
    transaction.commit().map_err(from_sqlite)?;
    reached(migrations.len() + 2);
    Ok(())
}

/// The version of the schema in the file; zero when the file has no table of the store. Also checks
/// that the tables are those of that version.
fn version_in_file(database: &Database, migrations: &[&str]) -> Result<usize, StoreError> {
    let Some(version) = ownership::version(database)? else { return Ok(0) };
    let Some(steps) = migrations.get(..version) else {
        return Err(newer_schema(version));
    };
    ownership::require_store_tables(database, steps)?;
    Ok(version)
}

/// The error for a schema of a newer version of the library.
pub(crate) fn newer_schema(version: usize) -> StoreError {
    let text = format!("the schema has version {version}, this library knows versions up to {VERSION}");
    StoreError::new(StoreErrorKind::NewerSchema, text)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rusqlite::Connection;

    use super::*;
    use crate::table_prefix::TablePrefix;

    fn empty() -> Database {
        Database::new(Connection::open_in_memory().unwrap(), TablePrefix::default())
    }

    fn version(database: &Database) -> usize {
        version_in_file(database, MIGRATIONS).unwrap()
    }

    fn names(database: &Database) -> Vec<String> {
        let mut statement = database
            .connection()
            .prepare("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'")
            .unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn a_failed_migration_leaves_nothing_behind() {
        let database = empty();
        let broken = [MIGRATIONS, &["CREATE TABLE dm_more (x); INSERT INTO nowhere VALUES (1);"]].concat();
        migrate_with(&database, &broken, |_| ()).unwrap_err();
        assert!(names(&database).is_empty());
        migrate(&database).unwrap();
        let before = names(&database);
        migrate_with(&database, &broken, |_| ()).unwrap_err();
        assert_eq!(names(&database), before, "the schema of the earlier version is unchanged");
        assert_eq!(version(&database), MIGRATIONS.len());
    }

    #[test]
    fn every_name_begins_with_the_prefix() {
        for prefix in ["dm_", "other_"] {
            let prefix = TablePrefix::new(prefix).unwrap();
            let database = Database::new(Connection::open_in_memory().unwrap(), prefix.clone());
            migrate(&database).unwrap();
            let names = names(&database);
            assert!(names.iter().all(|name| name.starts_with(prefix.as_str())), "{names:?}");
        }
    }

    #[test]
    fn migrating_again_changes_nothing() {
        let database = empty();
        migrate(&database).unwrap();
        migrate(&database).unwrap();
        assert_eq!(version(&database), MIGRATIONS.len());
    }

    #[test]
    fn the_second_migration_fills_in_the_newest_message_of_each_conversation() {
        let database = empty();
        migrate_with(&database, &MIGRATIONS[..1], |_| ()).unwrap();
        database
            .execute_batch(
                "INSERT INTO dm_conversations VALUES (1, x'01', 1, 2, 10), (2, x'02', 1, 3, 10);
                 INSERT INTO dm_sequence VALUES (1, 1, 1, 20), (1, 2, 3, -5), (1, 3, 4, 30);",
            )
            .unwrap();
        migrate(&database).unwrap();
        let mut statement =
            database.connection().prepare("SELECT ref, head, last_at FROM dm_conversations").unwrap();
        let rows: Vec<(i64, i64, Option<i64>)> = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(rows, [(1, 3, Some(30)), (2, 0, None)]);
    }

    #[test]
    fn the_fourth_migration_fills_in_the_newest_entry_of_each_inbox() {
        let database = empty();
        migrate_with(&database, &MIGRATIONS[..3], |_| ()).unwrap();
        database
            .execute_batch(
                "INSERT INTO dm_users (ref, pubkey, inbox_floor) VALUES (1, x'01', 2), (2, x'02', 7), (3, x'03', 0);
                 INSERT INTO dm_inbox (user, seq, at) VALUES (1, 3, 0), (1, 4, 0);",
            )
            .unwrap();
        migrate(&database).unwrap();
        let mut statement =
            database.connection().prepare("SELECT inbox_head FROM dm_users ORDER BY ref").unwrap();
        let heads: Vec<i64> =
            statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
        assert_eq!(heads, [4, 7, 0]);
    }

    /// The name of the test that starts itself as another process, which is killed.
    const KILLED: &str =
        "schema::tests::a_migration_killed_at_each_step_leaves_the_old_schema_or_the_new_one";

    /// Opens a file with a page cache so small that a migration writes to the write-ahead log
    /// before its commit.
    fn open_at(path: &Path) -> Database {
        let connection = Connection::open(path).unwrap();
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA cache_size = 10").unwrap();
        Database::new(connection, TablePrefix::default())
    }

    #[test]
    fn a_migration_killed_at_each_step_leaves_the_old_schema_or_the_new_one() {
        if let Some((path, kill)) = std::env::var_os("DM_MIGRATED").zip(std::env::var("DM_KILLED_AT").ok()) {
            let kill: usize = kill.parse().unwrap();
            let end = |number| {
                if number == kill {
                    std::process::abort()
                }
            };
            migrate_with(&open_at(Path::new(&path)), MIGRATIONS, end).unwrap();
            return;
        }
        for old in 0..MIGRATIONS.len() {
            for kill in old..=MIGRATIONS.len() + 2 {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("dm.db");
                let database = open_at(&path);
                migrate_with(&database, &MIGRATIONS[..old], |_| ()).unwrap();
                if old > 0 {
                    fill(&database);
                }
                let before = names(&database);
                drop(database);
                let child = std::process::Command::new(std::env::current_exe().unwrap())
                    .args([KILLED, "--exact"])
                    .env("DM_MIGRATED", &path)
                    .env("DM_KILLED_AT", kill.to_string())
                    .output()
                    .unwrap();
                assert_eq!(child.status.code(), None, "from {old}, at {kill}: not killed: {child:?}");

                let database = open_at(&path);
                let expected = if kill == MIGRATIONS.len() + 2 { MIGRATIONS.len() } else { old };
                assert_eq!(version(&database), expected, "from {old}, killed at {kill}");
                if expected == old {
                    assert_eq!(names(&database), before, "from {old}, killed at {kill}");
                }
                migrate(&database).unwrap();
                assert_eq!(version(&database), MIGRATIONS.len());
                let rows: i64 = database
                    .query_row("SELECT count(*) FROM dm_conversations WHERE head = 1", [], |row| row.get(0))
                    .unwrap();
                assert_eq!(rows, if old == 0 { 0 } else { ROWS }, "from {old}, killed at {kill}");
            }
        }
    }

    /// The number of conversations, each with one message. They take more pages than the cache
    /// holds.
    const ROWS: i64 = 2_000;

    fn fill(database: &Database) {
        let (columns, values, head) = if version(database) == 1 {
            ("conversation, seq, message, at", "n, 1, n, n", "")
        } else {
            ("conversation, seq, message", "n, 1, n", ", head = 1, last_at = ref")
        };
        let numbers =
            format!("WITH RECURSIVE t (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < {ROWS})");
        database
            .execute_batch(&format!(
                "BEGIN;
                 INSERT INTO dm_conversations (ref, id, a, b, opened_at)
                 {numbers} SELECT n, randomblob(16), n, n + 1, n FROM t;
                 INSERT INTO dm_sequence ({columns}) {numbers} SELECT {values} FROM t;
                 UPDATE dm_conversations SET opened_at = 0{head};
                 COMMIT"
            ))
            .unwrap();
    }
}
