//! The names of the store's tables: files in which tables of a host have these names, and other
//! prefixes than `dm_`.

use std::error::Error as _;
use std::path::{Path, PathBuf};

use dm_conformance::{Harness, cases};
use dm_core::store::{Store, StoreError, StoreErrorKind};
use dm_store_sqlite::{FileOwner, SqliteConfig, SqliteStore, TablePrefix};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::common::{self, append, open, who, whole_inbox};

/// The configuration for a file of the host, with a prefix for the store's tables.
fn host_config(prefix: &str) -> SqliteConfig {
    let mut config = SqliteConfig::default();
    config.owner = FileOwner::Host;
    config.table_prefix = TablePrefix::new(prefix).unwrap();
    config
}

/// A file in which the statements `sql` were executed. It has no write-ahead log.
fn host_file(folder: &TempDir, sql: &str) -> PathBuf {
    let path = folder.path().join("host.db");
    let host = Connection::open(&path).unwrap();
    host.execute_batch(sql).unwrap();
    host.execute_batch("PRAGMA journal_mode = DELETE").unwrap();
    path
}

/// Asserts that opening the file fails with an error about `name`, for either owner, and does not
/// change the file. `sql` is the text for failed assertions.
fn assert_refused(path: &Path, name: &str, sql: &str) {
    let before = std::fs::read(path).unwrap();
    for owner in [FileOwner::Host, FileOwner::Store] {
        let mut config = host_config("dm_");
        config.owner = owner;
        let refused = SqliteStore::open_with(path, &config).unwrap_err();
        assert_eq!(refused.kind(), StoreErrorKind::ForeignTables, "{sql}: {refused:?}");
        let text = refused.source().unwrap().to_string();
        assert!(text.contains(&format!("`{name}`")), "{sql}: {text}");
        assert!(std::fs::read(path).unwrap() == before, "{sql}: the file is changed");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no log beside it");
    }
}

#[test]
fn a_file_whose_tables_have_the_stores_names_is_refused_and_left_as_it_is() {
    let table = [
        ("CREATE TABLE dm_users (id INTEGER PRIMARY KEY, name TEXT)", "dm_users"),
        ("CREATE TABLE DM_Users (id INTEGER PRIMARY KEY, name TEXT)", "dm_users"),
        ("CREATE TABLE people (x); CREATE VIEW dm_messages AS SELECT x FROM people", "dm_messages"),
        ("CREATE TABLE people (x); CREATE INDEX dm_users_by_oldest ON people (x)", "dm_users_by_oldest"),
        ("CREATE TABLE dm_settings (key TEXT)", "dm_settings"),
        ("CREATE TABLE dm_schema (version TEXT)", "dm_schema"),
        ("CREATE TABLE dm_schema (version INTEGER NOT NULL, name TEXT)", "dm_schema"),
        ("CREATE TABLE dm_schema (version INTEGER NOT NULL)", "dm_schema"),
        (
            "CREATE TABLE dm_schema (version INTEGER NOT NULL); INSERT INTO dm_schema VALUES (1), (2)",
            "dm_schema",
        ),
        ("CREATE TABLE dm_schema (version INTEGER NOT NULL); INSERT INTO dm_schema VALUES (3)", "dm_schema"),
        ("CREATE VIEW dm_schema AS SELECT 3 AS version", "dm_schema"),
    ];
    for (sql, name) in table {
        let folder = tempfile::tempdir().unwrap();
        let path = host_file(&folder, sql);
        assert_refused(&path, name, sql);
        // With another prefix the store can use the file.
        drop(SqliteStore::open_with(&path, &host_config("chat_")).unwrap());
    }
}

#[test]
fn a_file_of_the_store_with_a_foreign_change_is_refused_and_left_as_it_is() {
    for (sql, name) in [
        ("DROP TABLE dm_gates; CREATE TABLE dm_gates (a INTEGER PRIMARY KEY, gate BLOB)", "dm_gates"),
        ("ALTER TABLE dm_records ADD COLUMN note TEXT", "dm_records"),
        ("DROP TABLE dm_records; CREATE VIEW dm_records AS SELECT 1 AS owner", "dm_records"),
        ("DROP INDEX dm_records_by_due; CREATE TABLE dm_records_by_due (x)", "dm_records_by_due"),
        ("INSERT INTO dm_schema VALUES (1)", "dm_schema"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("host.db");
        drop(SqliteStore::open(&path).unwrap());
        host_file(&folder, sql);
        assert_refused(&path, name, sql);
    }
}

#[tokio::test]
async fn stores_with_different_prefixes_share_a_file_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = host_file(&folder, "CREATE TABLE users (name TEXT)");
    let prefixes = ["dm_", "other_", "other_2_"];
    let stores = prefixes.map(|prefix| SqliteStore::open_with(&path, &host_config(prefix)).unwrap());
    for (n, store) in (1..).zip(&stores) {
        store.commit(vec![open(n, n, 9), append(n, n, n, 5)]).await.unwrap();
    }
    drop(stores);
    for (n, prefix) in (1..).zip(prefixes) {
        let store = SqliteStore::open_with(&path, &host_config(prefix)).unwrap();
        let entries = store.inbox(whole_inbox(who(9))).await.unwrap().entries;
        assert_eq!(entries.len(), 2, "the conversation and the message: {entries:?}");
        assert_eq!(entries[1].message().unwrap().conversation, common::conversation(n));
    }
}

/// A store in a file that also holds another store, with conversations of the same users.
struct StoreBesideAnother {
    path: PathBuf,
    _folder: TempDir,
}

impl Harness for StoreBesideAnother {
    type Store = SqliteStore;

    async fn fresh() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dm.db");
        let other = SqliteStore::open(&path).unwrap();
        other.commit(vec![open(1, 1, 2), append(1, 1, 1, 5), append(1, 2, 2, 6)]).await.unwrap();
        Self { path, _folder: folder }
    }

    async fn open(&self) -> Result<SqliteStore, StoreError> {
        let mut config = host_config("other_");
        // With so few entries, rows are merged after a few messages.
        config.recent_entries = std::num::NonZeroUsize::new(24).unwrap();
        SqliteStore::open_with(&self.path, &config)
    }
}

#[test]
fn the_contract_holds_beside_another_store() {
    let modules =
        ["dense", "three_rows", "devices", "one_conversation", "idempotent", "expiry", "acknowledging"];
    let chosen: Vec<_> =
        cases::<StoreBesideAnother>().into_iter().filter(|case| modules.contains(&case.module)).collect();
    assert!(chosen.len() > 30, "{}", chosen.len());
    for case in chosen {
        case.run();
    }
}
