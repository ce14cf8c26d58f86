//! The schema's version, and getting there.

use dm_core::{StoreError, StoreErrorKind};
use rusqlite::{Connection, TransactionBehavior};

use crate::error::from_sqlite;

/// The steps, in order. Step *n* leads to version *n*. A step that was released never changes.
const MIGRATIONS: &[&str] = &[include_str!("../migrations/0001_initial.sql")];

/// The version this library writes.
pub(crate) const VERSION: usize = MIGRATIONS.len();

/// Refuses a file that a newer version of the library wrote. Only reads.
///
/// # Errors
/// [`StoreErrorKind::NewerSchema`].
pub(crate) fn refuse_newer(connection: &Connection) -> Result<(), StoreError> {
    let found = version(connection).map_err(from_sqlite)?;
    if found > VERSION {
        let what = format!("the schema has version {found}, this library knows {VERSION}");
        return Err(StoreError::new(StoreErrorKind::NewerSchema, what));
    }
    Ok(())
}

/// Brings the schema to this library's version, in one transaction: whatever happens, it is the old or the new one.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    migrate_by(connection, MIGRATIONS)
}

fn migrate_by(connection: &mut Connection, migrations: &[&str]) -> Result<(), StoreError> {
    if version(connection).map_err(from_sqlite)? == migrations.len() {
        return Ok(());
    }
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(from_sqlite)?;
    // Another process may have been here while this one waited for the lock.
    refuse_newer(&transaction)?;
    let found = version(&transaction).map_err(from_sqlite)?;
    for step in migrations.iter().skip(found) {
        transaction.execute_batch(step).map_err(from_sqlite)?;
    }
    transaction
        .execute("UPDATE dm_schema SET version = ?1", [crate::codec::count(migrations.len())])
        .and_then(|_| transaction.commit())
        .map_err(from_sqlite)
}

/// The version of the schema in the file; zero when there is none.
fn version(connection: &Connection) -> rusqlite::Result<usize> {
    let exists = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'dm_schema'";
    if connection.query_row(exists, [], |row| row.get::<_, i64>(0))? == 0 {
        return Ok(0);
    }
    // A number that is no version is newer than anything known.
    connection
        .query_row("SELECT version FROM dm_schema", [], |row| row.get::<_, i64>(0))
        .map(|version| usize::try_from(version).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(connection: &Connection) -> Vec<String> {
        let mut statement =
            connection.prepare("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn a_step_that_fails_leaves_nothing_behind() {
        let mut connection = Connection::open_in_memory().unwrap();
        let broken = [MIGRATIONS[0], "CREATE TABLE dm_more (x); INSERT INTO nowhere VALUES (1);"];
        migrate_by(&mut connection, &broken).unwrap_err();
        assert!(names(&connection).is_empty());
        migrate(&mut connection).unwrap();
        let before = names(&connection);
        migrate_by(&mut connection, &broken).unwrap_err();
        assert_eq!(names(&connection), before, "the version before is whole");
        assert_eq!(version(&connection).unwrap(), VERSION);
    }

    #[test]
    fn every_name_begins_with_dm() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        assert!(names(&connection).iter().all(|name| name.starts_with("dm_")), "{:?}", names(&connection));
    }

    #[test]
    fn migrating_again_changes_nothing() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        migrate(&mut connection).unwrap();
        assert_eq!(version(&connection).unwrap(), VERSION);
    }
}
