//! Clause 22, revisions: each put of a synced record takes the next one, and the floor tells of
//! removed records.

use std::collections::BTreeMap;
use std::sync::Arc;

use dm_core::store::{Change, Owner, Record, RecordKey, Revision, Scan, Store as _};

use crate::build::{name, user};
use crate::chance::Chance;
use crate::outcome::done;
use crate::records::{
    all, byte, kind_of, names, numbers, only, plain, put, raise, revision_of, scan_since, shared, stored,
    take, under,
};
use crate::{Harness, World};

/// The answer, the record and the newest number agree.
pub async fn each_put_takes_the_next_revision<H: Harness>(world: World<H>) {
    for (n, name) in (1..).zip(["a", "b", "a", "c", "b", "a"]) {
        let done = world.done(only(put(shared(1, name), "v", n))).await;
        must_be!(done.revisions, [(user(1), Revision::new(n))]);
        must_be!(world.record(shared(1, name)).await, Some(stored(shared(1, name), "v", n, n)));
        must_be!(numbers(world.since(1, n).await.revisions), (n, 0));
    }
}

/// Records of other kinds and owners have none.
pub async fn records_that_are_not_synced_take_no_revision<H: Harness>(world: World<H>) {
    use crate::records::{about, fence, of_the_store};
    let keys = [plain(1, "a"), fence(1), of_the_store("a"), about(1, "a")];
    let done = world.done(all(keys.clone().map(|key| put(key, "v", 1)))).await;
    must_be!(done.revisions, []);
    must_be!(numbers(world.since(1, 0).await.revisions), (0, 0));
    let done = world.done(all(keys.map(Change::Delete))).await;
    must_be!(done.revisions, []);
    must_be!(numbers(world.since(1, 0).await.revisions), (0, 0));
}

/// One counter for all kinds of a user, one for each user.
pub async fn the_kinds_of_a_user_share_the_revisions_of_the_user<H: Harness>(world: World<H>) {
    let key = |n, number| RecordKey::new(Owner::User(user(n)), kind_of(number, true), name("a"));
    for (n, number, revision) in [(1, 1, 1), (1, 2, 2), (2, 1, 1), (1, 3, 3), (2, 3, 2), (1, 1, 4)] {
        let done = world.done(only(put(key(n, number), "v", revision))).await;
        must_be!(revision_of(&done.revisions, n), Some(revision), "user {n}, kind {number}");
    }
    let kinds: Vec<_> = world.since(1, 0).await.records.into_iter().map(|record| record.key.kind).collect();
    must_be!(kinds, [2, 3, 1].map(|number| kind_of(number, true)));
}

/// A raised record takes one only if it changes.
pub async fn a_record_that_is_not_raised_takes_no_revision<H: Harness>(world: World<H>) {
    for (n, value, revision) in [(1, "b", Some(1)), (2, "a", None), (3, "b", None), (4, "c", Some(2))] {
        let done = world.done(only(raise(shared(1, "r"), value, n))).await;
        must_be!(revision_of(&done.revisions, 1), revision, "raised to {value}");
    }
    must_be!(numbers(world.since(1, 0).await.revisions), (2, 0));
}

/// Each user of a write once, with the newest revision.
pub async fn a_write_names_each_user_with_the_newest_revision<H: Harness>(world: World<H>) {
    let mut revisions = world
        .done(all([
            put(shared(2, "a"), "v", 1),
            put(shared(1, "a"), "v", 1),
            put(shared(2, "b"), "v", 1),
            put(shared(2, "c"), "v", 1),
            put(plain(3, "c"), "v", 1),
        ]))
        .await
        .revisions;
    revisions.sort_unstable_by_key(|(_, revision)| *revision);
    must_be!(revisions, [(user(1), Revision::new(1)), (user(2), Revision::new(3))]);
}

/// In the order of the revisions, whatever the names; each at its newest, exclusive of the named one.
pub async fn the_records_since_a_revision_are_each_there_once<H: Harness>(world: World<H>) {
    for (n, name) in (1..).zip(["c", "a", "b", "a", "c", "d"]) {
        world.done(only(put(shared(1, name), n.to_string(), n))).await;
    }
    let expected = [("b", 3), ("a", 4), ("c", 5), ("d", 6)];
    for revision in 0..=8 {
        let page = world.since(1, revision).await;
        let expected: Vec<_> = expected
            .into_iter()
            .filter(|(_, number)| *number > revision)
            .map(|(name, number)| stored(shared(1, name), number.to_string(), number, number))
            .collect();
        must_be!(page.records, expected, "since {revision}");
        must_be!((numbers(page.revisions), page.has_more), ((6, 0), false));
    }
    must_be!(world.since(2, 0).await.records, []);
}

/// The floor becomes the revision of the removal, which is a new one.
pub async fn removing_a_synced_record_raises_the_floor<H: Harness>(world: World<H>) {
    world.done(all(["a", "b", "c", "k1", "k2"].map(|name| put(shared(1, name), "v", 1)))).await;
    for (removal, revision) in [
        (Change::Delete(shared(1, "b")), 6),
        (take(shared(1, "k")), 7),
        (Change::Clear(under(shared(1, "k"))), 8),
    ] {
        let done = world.done(only(removal)).await;
        must_be!(revision_of(&done.revisions, 1), Some(revision));
        must_be!(numbers(world.since(1, 0).await.revisions), (revision, revision));
    }
    must_be!(names(&world.since(1, 0).await.records), [b"a", b"c"]);
    must_be!(world.since(1, 5).await.records, []);
    world.done(only(put(shared(1, "d"), "v", 1))).await;
    must_be!(numbers(world.since(1, 8).await.revisions), (9, 8));
}

/// The floor becomes the revision of the empty value; devices that know it miss nothing.
pub async fn removing_an_empty_record_raises_the_floor_to_its_revision<H: Harness>(world: World<H>) {
    world.done(all(["a", "b", "c"].map(|name| put(shared(1, name), "v", 1)))).await;
    for name in ["b", "a"] {
        world.done(only(put(shared(1, name), "", 2))).await;
    }
    world.done(only(put(shared(1, "d"), "v", 1))).await;
    for (name, floor) in [("a", 5), ("b", 5)] {
        let done = world.done(only(Change::Delete(shared(1, name)))).await;
        must_be!(done.revisions, []);
        must_be!(numbers(world.since(1, 0).await.revisions), (6, floor), "after removing {name}");
    }
    must_be!(names(&world.since(1, 0).await.records), [b"c", b"d"]);
    // An older empty value does not lower the floor, and a removed value raises it to the newest.
    world.done(only(put(shared(1, "e"), "", 1))).await;
    world.done(only(Change::Delete(shared(1, "c")))).await;
    must_be!(numbers(world.since(1, 0).await.revisions), (8, 8));
    world.done(only(Change::Clear(under(shared(1, "e"))))).await;
    must_be!(numbers(world.since(1, 0).await.revisions), (8, 8));
}

/// Each removed record with a value takes a revision, each empty one none.
pub async fn clearing_takes_a_revision_for_each_record_with_a_value<H: Harness>(world: World<H>) {
    let values = [("k1", "v"), ("k2", ""), ("k3", "v"), ("k4", "")];
    world.done(all(values.map(|(name, value)| put(shared(1, name), value, 1)))).await;
    let done = world.done(only(Change::Clear(under(shared(1, "k"))))).await;
    must_be!(revision_of(&done.revisions, 1), Some(6));
    must_be!(numbers(world.since(1, 0).await.revisions), (6, 6));
    must_be!(world.since(1, 0).await.records, []);
}

/// There was nothing to remove, or the record is not synced.
pub async fn removing_nothing_takes_no_revision<H: Harness>(world: World<H>) {
    world.done(all([put(shared(1, "a"), "v", 1), put(plain(1, "b"), "v", 1)])).await;
    let removals = [
        Change::Delete(shared(1, "b")),
        Change::Clear(under(shared(1, "d"))),
        take(shared(1, "c")),
        Change::Delete(plain(1, "b")),
    ];
    must_be!(world.done(all(removals)).await.revisions, []);
    must_be!(numbers(world.since(1, 0).await.revisions), (1, 0));
}

/// The pages join to the whole; each has the newest revision and the floor.
pub async fn pages_of_revisions_join_to_the_whole<H: Harness>(world: World<H>) {
    for n in 0..60 {
        world.done(only(put(shared(1, [byte(n % 40)]), "v", n))).await;
    }
    let whole = world.since(1, 0).await.records;
    must_be!(whole.len(), 40);
    for limit in [1, 7, 39, 40, 100] {
        let next = |last: &Record| Scan::Since { user: user(1), revision: last.revision };
        must_be!(world.in_pages(scan_since(1, 0, limit), next).await, whole, "pages of {limit}");
    }
    let page = world.scan(scan_since(1, 20, 3)).await;
    must_be!((numbers(page.revisions), page.has_more), ((60, 0), true));
}

/// A record that is put between two pages moves to the end: it is there at its newest.
pub async fn a_record_put_between_pages_is_read_at_its_newest<H: Harness>(world: World<H>) {
    world.done(all(["a", "b", "c", "d"].map(|name| put(shared(1, name), "old", 1)))).await;
    let first = world.scan(scan_since(1, 0, 2)).await;
    must_be!((names(&first.records), first.has_more), (vec![b"a".to_vec(), b"b".to_vec()], true));
    world.done(all(["a", "c"].map(|name| put(shared(1, name), "new", 2)))).await;
    let rest = world.since(1, 2).await.records;
    let expected = [("d", "old", 1, 4), ("a", "new", 2, 5), ("c", "new", 2, 6)];
    must_be!(rest, expected.map(|(name, value, n, revision)| stored(shared(1, name), value, n, revision)));
}

/// Tasks put and raise records of two users: the numbers have no hole.
pub async fn revisions_of_writers_at_once_are_dense<H: Harness>(world: World<H>) {
    let write = |n: u64| {
        vec![all([put(shared(1 + n % 2, [byte(n)]), "v", n), put(shared(2 - n % 2, [byte(n)]), "v", n)])]
    };
    let outcomes = world.at_once((1..=40).map(write)).await;
    for user in [1, 2] {
        let mut given: Vec<_> = outcomes
            .iter()
            .map(|outcomes| revision_of(&done(outcomes[0].clone()).revisions, user).unwrap_or_default())
            .collect();
        given.sort_unstable();
        must_be!(given, (1..=40).collect::<Vec<_>>());
        let page = world.since(user, 0).await;
        let read: Vec<_> = page.records.iter().map(|record| record.revision.get()).collect();
        must_be!((read, numbers(page.revisions)), ((1..=40).collect(), (40, 0)));
    }
}

/// Two handles put records in turn and at the same time.
pub async fn two_handles_give_each_revision_once<H: Harness>(world: World<H>) {
    let Some(second) = world.second_handle().await.map(Arc::new) else { return };
    let batches = |first: u8| (0..20).map(|n| vec![only(put(shared(1, [first + n]), "v", 1))]).collect();
    world.in_step([(world.store(), batches(0)), (Arc::clone(&second), batches(100))]).await;
    let read: Vec<_> = world.since(1, 0).await.records.iter().map(|record| record.revision.get()).collect();
    must_be!(read, (1..=40).collect::<Vec<_>>());
    for n in 0..5 {
        _ = done(second.commit(vec![only(put(shared(1, "x"), "second", n))]).await.unwrap().remove(0));
        must_be!(
            revision_of(&world.done(only(put(shared(1, "y"), "first", n))).await.revisions, 1),
            Some(42 + 2 * n)
        );
    }
}

/// A device that reads what changed after its revision, and everything when it is below the floor,
/// has the same records as the store.
pub async fn a_device_that_syncs_has_what_is_stored<H: Harness>(world: World<H>) {
    let mut chance = Chance::new(16, 0);
    let (mut device, mut revision) = (BTreeMap::new(), 0);
    for n in 0..150 {
        let key = shared(1, [byte(chance.below(12))]);
        let change = match chance.below(10) {
            0 => Change::Delete(key),
            1 => take(key),
            2 => Change::Clear(under(key)),
            3 | 4 => put(key, "", n),
            _ => put(key, n.to_string(), n),
        };
        world.done(only(change)).await;
        if chance.below(3) == 0 {
            let mut page = world.since(1, revision).await;
            if page.revisions.floor.get() > revision {
                device.clear();
                page = world.since(1, 0).await;
            }
            revision = page.revisions.head.get();
            for Record { key, value, .. } in page.records {
                if value.is_empty() {
                    device.remove(&key.name)
                } else {
                    device.insert(key.name, value)
                };
            }
            let whole = world.since(1, 0).await.records;
            let whole = whole.into_iter().filter(|r| !r.value.is_empty()).map(|r| (r.key.name, r.value));
            must_be!(device, whole.collect::<BTreeMap<_, _>>(), "after {n} changes");
        }
    }
}

/// Numbers and floor are stored.
pub async fn revisions_are_there_after_reopening<H: Harness>(mut world: World<H>) {
    world.done(all(["a", "b", "c"].map(|name| put(shared(1, name), "v", 1)))).await;
    world.done(only(Change::Delete(shared(1, "b")))).await;
    world.done(only(put(shared(1, "a"), "w", 2))).await;
    let before = world.since(1, 0).await;
    world.reopen().await;
    let after = world.since(1, 0).await;
    must_be!((after.records, numbers(after.revisions)), (before.records, (5, 4)));
    must_be!(revision_of(&world.done(only(put(shared(1, "d"), "v", 1))).await.revisions, 1), Some(6));
}
