//! The schema's version, and getting there.

use dm_core::{StoreError, StoreErrorKind};
use rusqlite::{Connection, TransactionBehavior};

use crate::error::from_sqlite;

/// The steps, in order. Step *n* leads to version *n*. A step that was released never changes.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_initial.sql"),
    include_str!("../migrations/0002_recent_rows.sql"),
    include_str!("../migrations/0003_more_runs.sql"),
];

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

/// Refuses a file that does not hold the tables of this library's version. Only reads.
///
/// # Errors
/// [`StoreErrorKind::Corrupt`].
pub(crate) fn expect_current(connection: &Connection) -> Result<(), StoreError> {
    if version(connection).map_err(from_sqlite)? == VERSION {
        return Ok(());
    }
    Err(StoreError::new(StoreErrorKind::Corrupt, "the tables are not those that were there before"))
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
        let broken = [MIGRATIONS, &["CREATE TABLE dm_more (x); INSERT INTO nowhere VALUES (1);"]].concat();
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

    #[test]
    fn conversations_know_their_newest_message_after_the_second_step() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate_by(&mut connection, &MIGRATIONS[..1]).unwrap();
        connection
            .execute_batch(
                "INSERT INTO dm_conversations VALUES (1, x'01', 1, 2, 10), (2, x'02', 1, 3, 10);
                 INSERT INTO dm_sequence VALUES (1, 1, 1, 20), (1, 2, 3, -5), (1, 3, 4, 30);",
            )
            .unwrap();
        migrate(&mut connection).unwrap();
        let mut statement = connection.prepare("SELECT ref, head, last_at FROM dm_conversations").unwrap();
        let rows: Vec<(i64, i64, Option<i64>)> = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(rows, [(1, 3, Some(30)), (2, 0, None)]);
    }
}
