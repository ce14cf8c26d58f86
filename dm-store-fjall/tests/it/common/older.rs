//! Changes folders back to older versions of the schema.

use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

#[path = "../../../../dm-store-kv/tests/older/mod.rs"]
mod rows;

// The numbers of tables, which are the first bytes of keys.
const SCHEMA: u8 = 0;
const USERS: u8 = 1;
const KEYS: u8 = 3;
const ANNOUNCEMENTS: u8 = 4;
const CONVERSATIONS: u8 = 5;
pub const CONVERSATION_IDS: u8 = 6;
const MEMBERS: u8 = 8;
const MESSAGES: u8 = 9;
const SEQUENCE: u8 = 12;
pub const FLOORS: u8 = 14;
const RECORDS: [u8; 3] = [18, 19, 20];

/// Calls `look` with a keyspace of a closed folder, and closes the folder again.
fn keyspace<T>(folder: &Path, name: &str, look: impl FnOnce(&Keyspace) -> T) -> T {
    let database = Database::builder(folder).open().unwrap();
    let found = look(&database.keyspace(name, KeyspaceCreateOptions::default).unwrap());
    database.persist(PersistMode::SyncAll).unwrap();
    found
}

/// The rows of a table, without the number of the table in their keys.
fn table_rows(keyspace: &Keyspace, table: u8) -> Vec<rows::Row> {
    keyspace
        .prefix([table])
        .map(|row| row.into_inner().map(|(key, value)| (key[1..].to_vec(), value.to_vec())).unwrap())
        .collect()
}

fn insert(keyspace: &Keyspace, table: u8, (key, value): &rows::Row) {
    keyspace.insert([&[table], key.as_slice()].concat(), value).unwrap();
}

/// Replaces the value of each row of a table.
fn replace(keyspace: &Keyspace, table: u8, value: impl Fn(&[u8]) -> Vec<u8>) {
    for (key, old) in table_rows(keyspace, table) {
        insert(keyspace, table, &(key, value(&old)));
    }
}

/// The values of a table's rows, in the order of their keys. The table is in the keyspace `dm_rows`.
pub fn values(folder: &Path, table: u8) -> Vec<Vec<u8>> {
    let rows = keyspace(folder, "dm_rows", |rows| table_rows(rows, table));
    rows.into_iter().map(|(_, value)| value).collect()
}

/// Sets the version of the schema in a closed folder.
pub fn set_version(folder: &Path, version: u32) {
    let row = (b"version".to_vec(), version.to_be_bytes().to_vec());
    keyspace(folder, "dm_rows", |rows| insert(rows, SCHEMA, &row));
    std::fs::write(folder.join("dm_schema"), format!("{version}\n")).unwrap();
}

/// Changes a closed folder back to version 2 of the schema: it has no records, and other rows of
/// members. The first user has two versions of a key, and an announcement.
pub fn back_to_version_2(folder: &Path) {
    keyspace(folder, "dm_messages", |messages| replace(messages, MESSAGES, rows::message));
    keyspace(folder, "dm_logs", |logs| replace(logs, SEQUENCE, rows::sequence));
    keyspace(folder, "dm_rows", |keyspace| {
        for table in RECORDS {
            assert!(table_rows(keyspace, table).is_empty());
        }
        let (user_ref, public_key) = table_rows(keyspace, USERS).swap_remove(0);
        let user_ref = u32::from_be_bytes(user_ref.try_into().unwrap());
        for version in [1_u8, 2] {
            insert(keyspace, KEYS, &rows::key(user_ref, version.into(), 10 + version, 5));
        }
        let announcement = rows::announcement(public_key[..32].try_into().unwrap(), user_ref, 0, 1);
        insert(keyspace, ANNOUNCEMENTS, &announcement);
        for conversation in table_rows(keyspace, CONVERSATIONS) {
            let (old, new) = rows::members(&conversation);
            for key in new {
                keyspace.remove([&[MEMBERS], key.as_slice()].concat()).unwrap();
            }
            old.iter().for_each(|row| insert(keyspace, MEMBERS, row));
        }
        replace(keyspace, CONVERSATION_IDS, rows::conversation_id);
        replace(keyspace, FLOORS, rows::floor);
    });
    set_version(folder, 2);
}

/// Changes a closed folder back to version 1 of the schema: in addition, the row of a conversation's
/// id has only the ref, and a user without expired entries has no row in `floors`.
pub fn back_to_version_1(folder: &Path) {
    back_to_version_2(folder);
    keyspace(folder, "dm_rows", |keyspace| {
        replace(keyspace, CONVERSATION_IDS, |row| row[..4].to_vec());
        replace(keyspace, FLOORS, |row| row[..8].to_vec());
        for (key, value) in table_rows(keyspace, FLOORS) {
            if value == [0; 8] {
                keyspace.remove([&[FLOORS], key.as_slice()].concat()).unwrap();
            }
        }
    });
    set_version(folder, 1);
}
