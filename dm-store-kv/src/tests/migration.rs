//! The migration of schema version 2, in steps of any size, and killed after any step.

use dm_conformance::build::{
    ack_entries, append, conversation, forget, naming, on, open, register, user, who,
};
use dm_core::store::{
    ConversationOrder, ConversationsQuery, EngineReader as _, KeyRecord, Kind, Name, Outcome, Owner,
    RecordKey, key_announcement,
};

use super::Store;
use super::memory::{Memory, SharedTable};
use crate::failure::Failure;
use crate::migration::{Migration, OldTables};
use crate::read::{Reader, Snapshots};
use crate::rows::Changes as _;
use crate::tables::Tables;

#[path = "../../tests/older/mod.rs"]
mod older;

/// The states of the tables of a store in memory.
struct States(Tables<SharedTable>);

impl Snapshots for States {
    type Table<'a> = SharedTable;

    fn read<R>(&self, read: impl FnOnce(&Tables<SharedTable>) -> Result<R, Failure>) -> Result<R, Failure> {
        read(&self.0)
    }
}

/// A store of schema version 2: conversations 9, 8 … 1 of user 1 with users 11 to 19, opened in this
/// order. User 1 has two devices that are left of four, and a key in three versions, of which the
/// last is to be announced.
fn older_store() -> (Store, OldTables<SharedTable>) {
    let mut store = Store::with_heads(100);
    for n in (1..=9).rev() {
        store.apply(vec![open(n, 1, 10 + n)]);
        let message = append(n, 1, n);
        store.apply(vec![message.into()]);
    }
    for device in ["a", "b", "c", "d"] {
        store.apply(vec![register(on(1, device))]);
    }
    store.apply(vec![ack_entries(on(1, "d"), [8, 11]), forget(on(1, "a")), forget(on(1, "c"))]);
    store.kill();

    let mut tables = store.memory.tables();
    let replace = |table: &mut SharedTable, value: fn(&[u8]) -> Vec<u8>| {
        for (key, old) in Memory::rows(table) {
            table.insert(&key, &value(&old)).unwrap();
        }
    };
    replace(&mut tables.messages, older::message);
    replace(&mut tables.sequence, older::sequence);
    replace(&mut tables.conversation_ids, older::conversation_id);
    replace(&mut tables.floors, older::floor);
    for conversation in Memory::rows(&tables.conversations) {
        let (old, new) = older::members(&conversation);
        new.iter().for_each(|key| tables.members.remove(key).unwrap());
        old.iter().for_each(|(key, value)| tables.members.insert(key, value).unwrap());
    }
    let user_ref = tables.user_ref(user(1)).unwrap().unwrap();
    let mut old = OldTables { keys: SharedTable::default(), announcements: SharedTable::default() };
    for version in 1..=3_u8 {
        let (key, value) = older::key(user_ref, version.into(), version, 5);
        old.keys.insert(&key, &value).unwrap();
    }
    let (key, value) = older::announcement(user(1).as_bytes(), user_ref, 2, 9);
    old.announcements.insert(&key, &value).unwrap();
    (store, old)
}

/// The rows of all tables.
fn all_rows(store: &Store) -> Vec<Vec<older::Row>> {
    store.memory.tables().all().iter().map(Memory::rows).collect()
}

/// Migrates a store in steps of `limit` rows. If `killed_after` is the number of a step, the
/// migration begins again after it.
fn migrate(
    store: &Store,
    old: &mut OldTables<SharedTable>,
    limit: usize,
    killed_after: Option<usize>,
) -> usize {
    let (mut migration, mut steps) = (Migration::default(), 0);
    while !migration.step(&mut store.memory.tables(), old, limit).unwrap() {
        steps += 1;
        if Some(steps) == killed_after {
            migration = Migration::default();
        }
    }
    steps
}

#[test]
fn old_rows_become_records_members_and_registrations() {
    let (mut store, mut old) = older_store();
    migrate(&store, &mut old, 1_000, None);
    assert!(Memory::rows(&old.keys).is_empty() && Memory::rows(&old.announcements).is_empty());
    let reader = Reader::new(States(store.memory.tables()));
    let owner = Owner::User(user(1));
    let job = RecordKey::new(owner, Kind::KEY_ANNOUNCEMENT, Name::EMPTY);
    let records = reader.records(vec![RecordKey::fence(owner), job.clone()]).unwrap();
    let key = KeyRecord::from_value(user(1), &records[0].as_ref().unwrap().value).unwrap();
    assert_eq!((key.version.get(), key.key.as_bytes(), key.published_at.as_millis()), (3, &[3; 32], 5));
    let begun = key_announcement(user(1), None, records[1].as_ref().unwrap().tag);
    assert_eq!(records[1].as_ref(), Some(&begun));
    assert_eq!(Memory::rows(&store.memory.tables().due).len(), 1);

    let devices = reader.devices(user(1)).unwrap();
    let devices: Vec<_> =
        devices.iter().map(|state| (state.device.as_str(), state.registration.get())).collect();
    assert_eq!(devices, [("b", 1), ("d", 2)]);
    let depth = reader.depth(on(1, "d")).unwrap();
    assert_eq!((depth.messages, depth.notices), (8, 8), "one of each is acknowledged");
    let acked: Vec<_> =
        Memory::rows(&store.memory.tables().acked).into_iter().map(|(key, _)| key[7]).collect();
    assert!(acked.iter().all(|device_ref| *device_ref == 2), "{acked:?}");

    let order = ConversationOrder::Opened { after: Some(conversation(2)) };
    let query = ConversationsQuery { user: user(1), order, kinds: Vec::new(), limit: 3 };
    let listed = reader.conversations(query).unwrap();
    let ids: Vec<_> = listed.iter().map(|listed| listed.state.conversation.id).collect();
    assert_eq!(ids, [3, 4, 5].map(conversation));
    assert!(listed.iter().all(|listed| listed.state.counts.total() == 0 && listed.state.head.get() == 1));

    // The fence is in the head, and counting begins with the next message.
    let stale = naming(append(1, 11, 50), 2);
    assert!(matches!(store.apply(vec![stale])[..], [Outcome::Refused(_)]));
    assert_eq!(store.send(1, 51)[0], 2);
    let state = reader.conversation(conversation(1)).unwrap().unwrap();
    assert_eq!((state.head.get(), state.counts.total(), state.uncounted().get()), (2, 1, 1));
    assert!(matches!(store.apply(vec![register(who(1))])[..], [Outcome::Done(_)]));
    assert_eq!(reader.devices(user(1)).unwrap().last().unwrap().registration.get(), 3);
}

#[test]
fn a_migration_in_small_steps_that_is_killed_ends_with_the_same_rows() {
    let (store, mut old) = older_store();
    migrate(&store, &mut old, 1_000, None);
    let expected = all_rows(&store);
    for limit in [1, 2, 3, 7] {
        let (store, mut old) = older_store();
        let steps = migrate(&store, &mut old, limit, None);
        assert_eq!(all_rows(&store), expected, "steps of {limit} rows");
        for killed_after in 1..steps {
            let (store, mut old) = older_store();
            migrate(&store, &mut old, limit, Some(killed_after));
            assert_eq!(all_rows(&store), expected, "steps of {limit} rows, killed after {killed_after}");
        }
    }
}
