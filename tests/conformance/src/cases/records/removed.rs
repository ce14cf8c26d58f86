//! Records that are deleted or cleared.

use dm_core::store::{Change, Owner, RecordKey};

use crate::build::{conversation, name, open, user};
use crate::records::{about, all, kind_of, of_the_store, only, plain, put, put_due, shared, stored, under};
use crate::{Harness, World};

/// The names with which the cases about prefixes begin: ends of the order of bytes, and names that
/// start others.
const NAMES: [&[u8]; 12] = [
    b"",
    b"\0",
    b"a",
    b"a\0",
    b"a\xff",
    b"a\xff\xff",
    b"ab",
    b"b",
    b"\xff",
    b"\xff\0",
    b"\xff\xff",
    b"\xff\xffz",
];

/// The record is gone from all reads.
pub async fn a_deleted_record_is_gone<H: Harness>(world: World<H>) {
    for key in [plain(1, "a"), about(1, "a"), of_the_store("a"), shared(1, "a")] {
        world.done(only(put_due(key.clone(), "v", 1, 1))).await;
        world.done(only(Change::Delete(key.clone()))).await;
        must_be!(world.record(key.clone()).await, None);
        must_be!(world.names_under(key).await.len(), 0);
    }
}

/// Names that start with the deleted one, and the same name of other owners and kinds.
pub async fn deleting_a_record_keeps_its_neighbours<H: Harness>(world: World<H>) {
    for (n, bytes) in (1..).zip(NAMES) {
        let neighbours = [
            plain(2, bytes),
            about(1, bytes),
            of_the_store(bytes),
            RecordKey::new(Owner::User(user(1)), kind_of(0, false), name(bytes)),
            RecordKey::new(Owner::User(user(1)), kind_of(2, false), name(bytes)),
            RecordKey::new(Owner::Conversation(conversation(2)), kind_of(1, false), name(bytes)),
        ];
        world.done(all(NAMES.map(|bytes| put(plain(1, bytes), "v", n)))).await;
        world.done(all(neighbours.clone().map(|key| put(key, "v", n)))).await;
        world.done(only(Change::Delete(plain(1, bytes)))).await;
        must_be!(world.names_under(plain(1, "")).await, without(|name| name == bytes));
        let there = world.records(neighbours.to_vec()).await;
        assert!(there.iter().all(Option::is_some), "deleting {bytes:x?} removed another: {there:?}");
    }
}

/// There is nothing to remove.
pub async fn deleting_no_record_changes_nothing<H: Harness>(world: World<H>) {
    world.done(all([put(plain(1, "ab"), "v", 1), put(shared(1, "ab"), "v", 1)])).await;
    let before = world.snapshot().await;
    let changes = [plain(1, "a"), plain(1, "abc"), shared(1, "a"), of_the_store("")].map(Change::Delete);
    let cleared = [plain(1, "ac"), shared(2, ""), about(1, "")].map(|key| Change::Clear(under(key)));
    world.done(all(changes.into_iter().chain(cleared))).await;
    must_be!(world.snapshot().await, before);
}

/// Each prefix removes the names that start with it, and no others.
pub async fn clearing_removes_the_records_under_a_prefix<H: Harness>(world: World<H>) {
    for (n, prefix) in (1..).zip(NAMES) {
        world.done(all(NAMES.map(|bytes| put(plain(1, bytes), "v", n)))).await;
        world.done(only(Change::Clear(under(plain(1, prefix))))).await;
        must_be!(
            world.names_under(plain(1, "")).await,
            without(|name| name.starts_with(prefix)),
            "cleared {prefix:x?}"
        );
    }
}

/// The empty prefix includes all records of one owner and one kind, and no others.
pub async fn clearing_keeps_the_neighbours_of_owner_and_kind<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    let owners =
        [Owner::User(user(1)), Owner::User(user(2)), Owner::Conversation(conversation(1)), Owner::Store];
    let kinds = [kind_of(0, false), kind_of(1, false), kind_of(2, false)];
    let keys: Vec<_> = owners
        .into_iter()
        .flat_map(|owner| kinds.map(|kind| (owner, kind)))
        .flat_map(|(owner, kind)| {
            [&b""[..], &[0xff; 96]].map(|bytes| RecordKey::new(owner, kind, name(bytes)))
        })
        .collect();
    for (n, cleared) in (1..).zip(keys.iter().filter(|key| key.name.as_bytes().is_empty())) {
        world.done(all(keys.iter().map(|key| put(key.clone(), "v", n)))).await;
        world.done(only(Change::Clear(under(cleared.clone())))).await;
        for (key, record) in keys.iter().zip(world.records(keys.clone()).await) {
            let is_cleared = (key.owner, key.kind) == (cleared.owner, cleared.kind);
            must_be!(record.is_none(), is_cleared, "{key:?} after clearing {cleared:?}");
        }
    }
}

/// A prefix of the greatest length includes the record with that name only.
pub async fn clearing_the_longest_name_removes_one_record<H: Harness>(world: World<H>) {
    for byte in [0, b'a', 0xff] {
        let names = [vec![byte; 94], vec![byte; 95], vec![byte; 96]];
        world.done(all(names.iter().map(|bytes| put(plain(1, bytes), "v", 1)))).await;
        world.done(only(Change::Clear(under(plain(1, [byte; 96]))))).await;
        must_be!(world.names_under(plain(1, [byte])).await, names[..2]);
        world.done(only(Change::Clear(under(plain(1, [byte; 95]))))).await;
        must_be!(world.names_under(plain(1, [byte])).await, names[..1]);
    }
}

/// A write sees the records that earlier writes of its batch put, deleted and cleared.
pub async fn records_are_put_and_removed_in_one_batch<H: Harness>(world: World<H>) {
    world.done(only(put(plain(1, "old"), "v", 1))).await;
    world
        .commit(vec![
            all([put(plain(1, "p1"), "v", 1), put(plain(1, "p2"), "v", 1), put(plain(1, "q"), "v", 1)]),
            only(Change::Clear(under(plain(1, "p")))),
            only(put(plain(1, "p3"), "v", 2)),
            only(Change::Delete(plain(1, "q"))),
            only(Change::Delete(plain(1, "old"))),
            only(put(plain(1, "old"), "new", 3)),
            only(put(plain(1, "gone"), "v", 1)),
            only(Change::Delete(plain(1, "gone"))),
        ])
        .await;
    must_be!(world.names_under(plain(1, "")).await, [&b"old"[..], b"p3"]);
    must_be!(world.record(plain(1, "old")).await, Some(stored(plain(1, "old"), "new", 3, 0)));
}

/// As many records as one write may clear.
pub async fn a_thousand_and_twenty_four_records_are_cleared<H: Harness>(world: World<H>) {
    for synced in [false, true] {
        let key = |n: u64| if synced { shared(1, n.to_be_bytes()) } else { plain(1, n.to_be_bytes()) };
        world.commit((0..1_024).map(|n| only(put(key(n), "v", n))).collect()).await;
        let prefix = key(0);
        let kind = RecordKey { name: name(""), ..prefix };
        world.done(only(Change::Clear(under(kind.clone())))).await;
        must_be!(world.names_under(kind).await.len(), 0);
    }
}

/// Removed records do not come back.
pub async fn removed_records_are_gone_after_reopening<H: Harness>(mut world: World<H>) {
    world.done(all(NAMES.map(|bytes| put_due(plain(1, bytes), "v", 1, 5)))).await;
    world.done(only(Change::Clear(under(plain(1, "a"))))).await;
    world.done(only(Change::Delete(plain(1, "")))).await;
    world.reopen().await;
    let left = without(|name| name.is_empty() || name.starts_with(b"a"));
    must_be!(world.names_under(plain(1, "")).await, left);
}

/// The names that stay.
fn without(is_gone: impl Fn(&[u8]) -> bool) -> Vec<Vec<u8>> {
    let mut names: Vec<_> = NAMES.into_iter().filter(|name| !is_gone(name)).map(<[u8]>::to_vec).collect();
    names.sort_unstable();
    names
}
