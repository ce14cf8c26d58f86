//! Changes files back to older versions of the schema.

use std::path::Path;

use redb::{
    Database, ReadableDatabase as _, ReadableTable as _, TableDefinition, TableHandle as _, WriteTransaction,
};

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../../../dm-store-kv/tests/older/mod.rs"]
mod rows;

type Table<'a> = TableDefinition<'a, &'static [u8], &'static [u8]>;

/// The names of the runs in a closed file.
pub fn runs(path: &Path) -> Vec<String> {
    let database = Database::open(path).unwrap();
    let transaction = database.begin_read().unwrap();
    let names = transaction.list_tables().unwrap().map(|table| table.name().to_owned());
    names.filter(|name| name.contains("_run_")).collect()
}

/// Calls `change` with a write transaction on a closed file.
fn change(path: &Path, change: impl FnOnce(&WriteTransaction)) {
    let database = Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    change(&transaction);
    transaction.commit().unwrap();
}

/// The rows of a table.
fn table_rows(transaction: &WriteTransaction, table: &str) -> Vec<rows::Row> {
    let table = transaction.open_table(Table::new(table)).unwrap();
    let rows = table.iter().unwrap();
    rows.map(|row| row.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())).unwrap()).collect()
}

fn insert(transaction: &WriteTransaction, table: &str, (key, value): &rows::Row) {
    let mut table = transaction.open_table(Table::new(table)).unwrap();
    table.insert(key.as_slice(), value.as_slice()).unwrap();
}

/// Replaces the value of each row of a table.
fn replace(transaction: &WriteTransaction, table: &str, value: impl Fn(&[u8]) -> Vec<u8>) {
    for (key, old) in table_rows(transaction, table) {
        insert(transaction, table, &(key, value(&old)));
    }
}

fn set_version(transaction: &WriteTransaction, version: u32) {
    insert(transaction, "dm_schema", &(b"version".to_vec(), version.to_be_bytes().to_vec()));
}

/// Changes a closed file back to version 3 of the schema: it has no records, and other rows of
/// members. The first user has two versions of a key, and an announcement.
pub fn back_to_version_3(path: &Path) {
    let runs = runs(path);
    change(path, |transaction| {
        for table in ["dm_records", "dm_due", "dm_revisions"] {
            transaction.delete_table(Table::new(table)).unwrap();
        }
        let (user_ref, public_key) = table_rows(transaction, "dm_users").swap_remove(0);
        let user_ref = u32::from_be_bytes(user_ref.try_into().unwrap());
        for version in [1_u8, 2] {
            insert(transaction, "dm_keys", &rows::key(user_ref, version.into(), 10 + version, 5));
        }
        let announcement = rows::announcement(public_key[..32].try_into().unwrap(), user_ref, 0, 1);
        insert(transaction, "dm_announcements", &announcement);
        for conversation in table_rows(transaction, "dm_conversations") {
            let (old, new) = rows::members(&conversation);
            let mut members = transaction.open_table(Table::new("dm_members")).unwrap();
            for key in new {
                members.remove(key.as_slice()).unwrap();
            }
            drop(members);
            old.iter().for_each(|row| insert(transaction, "dm_members", row));
        }
        replace(transaction, "dm_messages", rows::message);
        replace(transaction, "dm_conversation_ids", rows::conversation_id);
        replace(transaction, "dm_floors", rows::floor);
        let runs = runs.iter().map(String::as_str).filter(|name| name.starts_with("dm_sequence"));
        for table in runs.chain(["dm_sequence"]) {
            replace(transaction, table, rows::sequence);
        }
        set_version(transaction, 3);
    });
}

/// Changes a closed file back to version 2 of the schema: in addition, the row of a conversation's
/// id holds only its ref.
pub fn back_to_version_2(path: &Path) {
    back_to_version_3(path);
    change(path, |transaction| {
        replace(transaction, "dm_conversation_ids", |row| row[..4].to_vec());
        set_version(transaction, 2);
    });
}

/// Changes a closed file back to version 1 of the schema: in addition, all rows are in the main
/// tables and none in runs.
pub fn back_to_version_1(path: &Path) {
    back_to_version_2(path);
    let runs = runs(path);
    change(path, |transaction| {
        for log in ["dm_sequence", "dm_inbox"] {
            for name in runs.iter().filter(|name| name.starts_with(log)) {
                for row in table_rows(transaction, name) {
                    insert(transaction, log, &row);
                }
                transaction.delete_table(Table::new(name)).unwrap();
            }
            let mut schema = transaction.open_table(Table::new("dm_schema")).unwrap();
            schema.remove(log.as_bytes()).unwrap();
        }
        set_version(transaction, 1);
    });
}
