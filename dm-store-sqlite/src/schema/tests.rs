//! Tests of migrations in general, and of the migrations before that of records.

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
    let broken = Migration::new("CREATE TABLE dm_more (x); INSERT INTO nowhere VALUES (1);");
    let broken = [MIGRATIONS, &[broken]].concat();
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
const KILLED: &str = "schema::tests::a_migration_killed_at_each_step_leaves_the_old_schema_or_the_new_one";

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
            let rows: [i64; 2] = database
                .query_row(
                    "SELECT (SELECT count(*) FROM dm_conversations WHERE head = 1),
                            (SELECT count(*) FROM dm_records)",
                    [],
                    |row| Ok([row.get(0)?, row.get(1)?]),
                )
                .unwrap();
            assert_eq!(rows, [if old == 0 { 0 } else { ROWS }; 2], "from {old}, killed at {kill}");
        }
    }
}

/// The number of conversations, each with one message, and of users, each with a key. They take more
/// pages than the cache holds.
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
             INSERT INTO dm_users (ref, pubkey) {numbers} SELECT n, randomblob(32) FROM t;
             INSERT INTO dm_keys (user, version, key, binding, published_at)
             {numbers} SELECT n, 1, randomblob(32), 3, n FROM t;
             COMMIT"
        ))
        .unwrap();
}
