//! A migration that is killed at each of its steps.
//!
//! The disk is a storage backend of redb. When a process is killed, the effects of all its calls so
//! far remain. So the test copies the disk after each call of a migration, and opens each copy.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use dm_core::store::{InboxEntry, Store as _};
use dm_store_redb::{RedbConfig, RedbStore};
use redb::{Database, ReadableDatabase as _, StorageBackend, TableDefinition, TableHandle as _};

use crate::common::older::{back_to_version_1, back_to_version_2, back_to_version_3, runs};
use crate::common::{append, open, who, whole_inbox};
use crate::runs::without_sender_sequence;

/// A disk in memory, and copies of its content after each call that changed or synced it.
#[derive(Clone, Debug)]
struct Disk(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// The content.
    image: Vec<u8>,
    /// The copies.
    steps: Vec<Vec<u8>>,
}

impl Disk {
    fn holding(image: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(State { image, steps: Vec::new() })))
    }

    fn open(&self) -> Arc<Database> {
        Arc::new(Database::builder().create_with_backend(self.clone()).unwrap())
    }

    fn change(&self, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.0.lock().unwrap();
        change(&mut state.image);
        let image = state.image.clone();
        state.steps.push(image);
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().image.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let at = offset as usize;
        out.copy_from_slice(&self.0.lock().unwrap().image[at..at + out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(|image| image.resize(len as usize, 0));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.change(|_| ());
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let at = offset as usize;
        self.change(|image| image[at..at + data.len()].copy_from_slice(data));
        Ok(())
    }
}

/// The version of the schema in a database, zero without a schema, and the number of the store's
/// tables.
fn schema(database: &Database) -> (u32, usize) {
    let transaction = database.begin_read().unwrap();
    let tables = transaction.list_tables().unwrap().filter(|table| table.name().starts_with("dm_")).count();
    let version =
        transaction.open_table(TableDefinition::<&[u8], &[u8]>::new("dm_schema")).map_or(0, |schema| {
            u32::from_be_bytes(
                schema.get(b"version".as_slice()).unwrap().unwrap().value().try_into().unwrap(),
            )
        });
    (version, tables)
}

/// The inbox entries of user 2.
async fn entries(database: Arc<Database>) -> Vec<InboxEntry> {
    let store = RedbStore::from_database(database, &RedbConfig::default()).unwrap();
    store.inbox(whole_inbox(who(2))).await.unwrap().entries
}

/// Migrates the database in `image`, and opens each disk that a kill during the migration would
/// leave. Checks that each has the schema `old` or the new one, and the entries `expected`. Returns
/// the number of disks with the old schema, and the number with the new one.
async fn kill_at_each_step(image: Vec<u8>, old: (u32, usize), expected: &[InboxEntry]) -> (usize, usize) {
    let disk = Disk::holding(image);
    let database = disk.open();
    assert_eq!(schema(&database), old);
    disk.0.lock().unwrap().steps.clear();
    drop(RedbStore::from_database(Arc::clone(&database), &RedbConfig::default()).unwrap());
    let steps = std::mem::take(&mut disk.0.lock().unwrap().steps);
    let (mut old_count, mut new_count) = (0, 0);
    for (step, image) in steps.into_iter().enumerate() {
        let database = Disk::holding(image).open();
        match schema(&database) {
            found if found == old => old_count += 1,
            // The new version has 19 tables and the runs that existed before.
            (4, tables) if tables == if old.0 == 0 { 19 } else { old.1 + 1 } => new_count += 1,
            between => panic!("killed after {step}: version and tables {between:?}"),
        }
        assert_eq!(entries(database).await, expected, "killed after {step}");
    }
    (old_count, new_count)
}

#[tokio::test]
async fn a_migration_killed_at_each_step_leaves_the_old_schema_or_the_new_one() {
    // A host's database without tables of the store.
    let empty = Disk::holding(Vec::new());
    drop(empty.open());
    let image = empty.0.lock().unwrap().image.clone();
    let (old_count, new_count) = kill_at_each_step(image, (0, 0), &[]).await;
    assert!(old_count > 2 && new_count > 0, "{old_count} times the old one, {new_count} times the new one");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm.redb");
    let store = RedbStore::open(&path).unwrap();
    let writes = (1..=50).map(|id| append(1, 1, id, id));
    store.commit([open(1, 1, 2)].into_iter().chain(writes).collect()).await.unwrap();
    let entries = store.inbox(whole_inbox(who(2))).await.unwrap().entries;
    let expected: Vec<_> = entries.iter().map(without_sender_sequence).collect();
    drop(store);
    let bytes = std::fs::read(&path).unwrap();
    for (version, back) in
        [(3, back_to_version_3 as fn(&Path)), (2, back_to_version_2), (1, back_to_version_1)]
    {
        std::fs::write(&path, &bytes).unwrap();
        let tables = 18 + if version == 1 { 0 } else { runs(&path).len() };
        back(&path);
        let image = std::fs::read(&path).unwrap();
        let (old_count, new_count) = kill_at_each_step(image, (version, tables), &expected).await;
        assert!(
            old_count > 2 && new_count > 0,
            "{old_count} times version {version}, {new_count} times the new one"
        );
    }
}
