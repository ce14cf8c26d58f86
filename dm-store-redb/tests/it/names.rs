//! A host's database whose tables have names of the store.

use std::error::Error as _;
use std::path::Path;
use std::sync::Arc;

use dm_core::store::{StoreError, StoreErrorKind};
use dm_store_redb::{RedbConfig, RedbStore};
use redb::{Database, MultimapTableDefinition, ReadableDatabase, TableDefinition, TableHandle};

/// Creates a table in a transaction of the host.
type Make = fn(&redb::WriteTransaction);

/// Creates tables of a host in the database file `path`.
fn host(path: &Path, make: impl Fn(&redb::WriteTransaction)) {
    let database = Database::create(path).unwrap();
    let transaction = database.begin_write().unwrap();
    make(&transaction);
    transaction.commit().unwrap();
}

/// A table of the same type as the store's.
fn bytes(name: &str) -> TableDefinition<'_, &'static [u8], &'static [u8]> {
    TableDefinition::new(name)
}

/// Asserts that the error says that the table `name` is another program's.
fn assert_foreign(error: &StoreError, name: &str) {
    assert_eq!(error.kind(), StoreErrorKind::ForeignTables, "{name}: {error:?}");
    let text = error.source().unwrap().to_string();
    assert!(text.contains(name), "{name}: {text}");
}

/// Asserts that opening the file fails because of the table `name` and does not change the file.
/// Then asserts the same for the database while a host has it open.
fn assert_refused(path: &Path, name: &str) {
    let before = std::fs::read(path).unwrap();
    assert_foreign(&RedbStore::open(path).unwrap_err(), name);
    assert!(std::fs::read(path).unwrap() == before, "{name}: the file is changed");

    let database = Arc::new(Database::open(path).unwrap());
    let tables = || {
        let transaction = database.begin_read().unwrap();
        transaction.list_tables().unwrap().map(|table| table.name().to_owned()).collect::<Vec<_>>()
    };
    let before = tables();
    assert_foreign(
        &RedbStore::from_database(Arc::clone(&database), &RedbConfig::default()).unwrap_err(),
        name,
    );
    assert_eq!(tables(), before);
}

#[test]
fn foreign_tables_with_the_stores_names_are_refused_and_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("host.redb");
    let make: [(&str, Make); 5] = [
        ("dm_users", |transaction| {
            transaction
                .open_table(TableDefinition::<u64, &str>::new("dm_users"))
                .unwrap()
                .insert(1, "ana")
                .unwrap();
        }),
        ("dm_settings", |transaction| drop(transaction.open_table(bytes("dm_settings")).unwrap())),
        ("dm_tags", |transaction| {
            let tags = MultimapTableDefinition::<&str, &str>::new("dm_tags");
            drop(transaction.open_multimap_table(tags).unwrap());
        }),
        ("dm_schema", |transaction| drop(transaction.open_table(bytes("dm_schema")).unwrap())),
        ("dm_schema", |transaction| {
            drop(transaction.open_table(TableDefinition::<&str, u64>::new("dm_schema")).unwrap());
        }),
    ];
    for (name, make) in make {
        host(&path, make);
        assert_refused(&path, name);
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_file_whose_table_another_program_replaced_is_refused_and_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm.redb");
    drop(RedbStore::open(&path).unwrap());
    host(&path, |transaction| {
        let keys = TableDefinition::<&[u8], &[u8]>::new("dm_members");
        transaction.delete_table(keys).unwrap();
        drop(transaction.open_table(TableDefinition::<u64, &str>::new("dm_members")).unwrap());
    });
    assert_refused(&path, "dm_members");
}
