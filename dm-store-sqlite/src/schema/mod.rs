//! The version of the schema in the file, and the migrations to the version of this library.
//! [`published_keys`] is a part of one of them.

mod published_keys;
#[cfg(test)]
mod records_tests;
#[cfg(test)]
mod tests;

use dm_core::store::{StoreError, StoreErrorKind};
use rusqlite::{Result, TransactionBehavior};

use crate::database::Database;
use crate::error::from_sqlite;
use crate::ownership;

/// A step from a version of the schema to the next one.
#[derive(Clone, Copy)]
struct Migration {
    /// The statements that run first.
    sql: &'static str,
    /// A change of rows that SQL cannot make. It runs after these statements.
    change_rows: fn(&Database) -> Result<()>,
    /// The statements that run last.
    last_sql: &'static str,
}

impl Migration {
    const fn new(sql: &'static str) -> Self {
        Self { sql, change_rows: |_| Ok(()), last_sql: "" }
    }

    fn run(&self, database: &Database) -> Result<()> {
        database.execute_batch(self.sql)?;
        (self.change_rows)(database)?;
        database.execute_batch(self.last_sql)
    }
}

/// The migrations in order. The *n*th migration, counted from 1, leads to version *n*. A released
/// migration never changes.
const MIGRATIONS: &[Migration] = &[
    Migration::new(include_str!("../../migrations/0001_initial.sql")),
    Migration::new(include_str!("../../migrations/0002_recent_rows.sql")),
    Migration::new(include_str!("../../migrations/0003_more_runs.sql")),
    Migration::new(include_str!("../../migrations/0004_inbox_heads.sql")),
    Migration::new(include_str!("../../migrations/0005_last_writer.sql")),
    Migration {
        sql: include_str!("../../migrations/0006_records.sql"),
        change_rows: published_keys::make_records,
        last_sql: "DROP TABLE dm_keys; DROP TABLE dm_announcements;",
    },
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
fn migrate_with(
    database: &Database,
    migrations: &[Migration],
    reached: impl Fn(usize),
) -> Result<(), StoreError> {
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
        step.run(database).map_err(from_sqlite)?;
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
fn version_in_file(database: &Database, migrations: &[Migration]) -> Result<usize, StoreError> {
    let Some(version) = ownership::version(database)? else { return Ok(0) };
    let Some(steps) = migrations.get(..version) else {
        return Err(newer_schema(version));
    };
    let texts: Vec<&str> = steps.iter().flat_map(|step| [step.sql, step.last_sql]).collect();
    ownership::require_store_tables(database, &texts)?;
    Ok(version)
}

/// The error for a schema of a newer version of the library.
pub(crate) fn newer_schema(version: usize) -> StoreError {
    let text = format!("the schema has version {version}, this library knows versions up to {VERSION}");
    StoreError::new(StoreErrorKind::NewerSchema, text)
}
