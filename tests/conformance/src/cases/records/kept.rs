//! Records that are put and read back.

use dm_core::store::{Kind, Owner, Record, RecordKey, Tag};

use crate::build::{at, conversation, kind, name, open, synced, user};
use crate::records::{
    about, all, fence, kind_of, of_the_store, only, plain, put, put_due, scan_under, shared, stored, under,
};
use crate::{Harness, World};

/// Value, tag and due time, for each kind of owner.
pub async fn a_record_is_read_back_as_it_was_put<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    for (n, key) in (1..).zip([plain(1, "a"), about(1, "a"), of_the_store("a"), fence(1)]) {
        world.done(only(put_due(key.clone(), "value", n, 40 + n))).await;
        let expected = Record { due: Some(at(40 + n)), ..stored(key.clone(), "value", n, 0) };
        must_be!(world.record(key).await, Some(expected));
    }
}

/// A record with the same key is replaced, with its tag and its due time.
pub async fn a_put_replaces_the_record_with_its_key<H: Harness>(world: World<H>) {
    world.done(only(put_due(plain(1, "a"), "first", 1, 5))).await;
    world.done(only(put(plain(1, "a"), "", 2))).await;
    must_be!(world.record(plain(1, "a")).await, Some(stored(plain(1, "a"), "", 2, 0)));
    must_be!(world.names_under(plain(1, "")).await, [b"a"]);
    world.done(only(put_due(plain(1, "a"), "third", 3, 9))).await;
    must_be!(world.record(plain(1, "a")).await.unwrap().due, Some(at(9)));
}

/// The empty name, names of zeros and of 0xff bytes, names that start others, and the longest.
pub async fn names_at_their_bounds_are_different_records<H: Harness>(world: World<H>) {
    let mut names: Vec<Vec<u8>> = [
        &b""[..],
        b"\0",
        b"\0\0",
        b"\0\xff",
        b"a",
        b"a\0",
        b"a\xff",
        b"a\xff\xff",
        b"b",
        b"\xfe\xff",
        b"\xff",
        b"\xff\0",
        b"\xff\xff",
    ]
    .map(<[u8]>::to_vec)
    .to_vec();
    for byte in [0, b'a', 0xff] {
        for len in [95, 96] {
            names.push(vec![byte; len]);
        }
    }
    for owner in [Owner::User(user(1)), Owner::Conversation(conversation(1)), Owner::Store] {
        let key = |bytes: &Vec<u8>| RecordKey::new(owner, kind(), name(bytes));
        world
            .done(all(names.iter().enumerate().rev().map(|(n, bytes)| put(key(bytes), bytes, n as u64))))
            .await;
        let read = world.records(names.iter().map(key).collect()).await;
        for ((n, bytes), record) in (0..).zip(&names).zip(read) {
            must_be!(record, Some(stored(key(bytes), bytes, n, 0)), "the name {bytes:x?}");
        }
        let mut sorted = names.clone();
        sorted.sort_unstable();
        must_be!(world.names_under(key(&Vec::new())).await, sorted);
    }
}

/// Records whose keys differ in one part only.
pub async fn neighbours_of_owner_and_kind_are_different_records<H: Harness>(world: World<H>) {
    let kinds = [kind_of(0, false), kind_of(1, false), kind_of(2, false), kind_of(Kind::MAX_CUSTOM, false)];
    let users = (0..4).map(|n| Owner::User(user(n)));
    let owners = users.chain((0..3).map(|n| Owner::Conversation(conversation(n)))).chain([Owner::Store]);
    let keys: Vec<_> =
        owners.flat_map(|owner| kinds.map(|kind| RecordKey::new(owner, kind, name("n")))).collect();
    for (n, key) in (0..).zip(&keys) {
        world.done(only(put(key.clone(), n.to_string(), n))).await;
    }
    for (n, key) in (0..).zip(&keys) {
        must_be!(world.record(key.clone()).await, Some(stored(key.clone(), n.to_string(), n, 0)));
        let page = world.scan(scan_under(under(key.clone()), None, 10)).await;
        must_be!(page.records.len(), 1, "the records under {key:?}");
    }
}

/// The kinds with the same number, one synced and one not.
pub async fn a_synced_kind_is_another_kind<H: Harness>(world: World<H>) {
    world.done(all([put(plain(1, "a"), "plain", 1), put(shared(1, "a"), "synced", 2)])).await;
    must_be!(world.record(plain(1, "a")).await, Some(stored(plain(1, "a"), "plain", 1, 0)));
    must_be!(world.record(shared(1, "a")).await, Some(stored(shared(1, "a"), "synced", 2, 1)));
    let no_record = RecordKey::new(Owner::User(user(2)), synced(), name("a"));
    must_be!(world.record(no_record).await, None);
}

/// The empty value, the longest, and values of zeros only.
pub async fn values_at_their_bounds_are_kept<H: Harness>(world: World<H>) {
    let all_bytes: Vec<u8> = (0..=255).cycle().take(Record::MAX_VALUE).collect();
    let values = [Vec::new(), vec![0], vec![0; 4096], vec![0xff; 4097], all_bytes];
    for (n, value) in (1..).zip(values) {
        for key in [plain(1, "v"), shared(1, "v"), of_the_store("v")] {
            world.done(only(put(key.clone(), &value, n))).await;
            let kept = world.record(key).await.is_some_and(|record| *record.value == *value);
            assert!(kept, "a value of {} bytes is changed or lost", value.len());
        }
    }
}

/// Zero and the largest time are due times; neither means that there is none.
pub async fn due_times_at_their_bounds_are_kept<H: Harness>(world: World<H>) {
    for (n, due) in [0, 1, u64::from(u32::MAX), 1 << 63, u64::MAX].into_iter().enumerate() {
        world.done(only(put_due(plain(1, "a"), "v", n as u64, due))).await;
        must_be!(world.record(plain(1, "a")).await.unwrap().due, Some(at(due)));
    }
}

/// A tag may have any bytes.
pub async fn tags_of_zeros_and_ones_are_kept<H: Harness>(world: World<H>) {
    for bytes in [[0; 16], [0xff; 16], [1; 16]] {
        let put = dm_core::store::Put::new(plain(1, "a"), vec![bytes[0]].into(), Tag::from_bytes(bytes));
        world.done(only(dm_core::store::Change::Put(put))).await;
        must_be!(world.record(plain(1, "a")).await.unwrap().tag, Tag::from_bytes(bytes));
    }
}

/// Keys may be repeated, in any order, and without a record.
pub async fn records_are_returned_in_the_order_of_their_keys<H: Harness>(world: World<H>) {
    world.done(all([put(plain(1, "a"), "a", 1), put(plain(2, "b"), "b", 2)])).await;
    let keys = vec![plain(2, "b"), plain(1, "x"), plain(1, "a"), plain(2, "b"), plain(3, "a")];
    let values: Vec<_> = world.records(keys).await.into_iter().map(|r| r.map(|r| r.value.to_vec())).collect();
    must_be!(values, [Some(b"b".to_vec()), None, Some(b"a".to_vec()), Some(b"b".to_vec()), None]);
    must_be!(world.records(Vec::new()).await, []);
}

/// Three hundred keys in one read.
pub async fn three_hundred_records_are_read_at_once<H: Harness>(world: World<H>) {
    let key = |n: u64| plain(n % 3, n.to_be_bytes());
    world.commit((0..300).map(|n| only(put(key(n), n.to_string(), n))).collect()).await;
    let records = world.records((0..300).rev().map(key).collect()).await;
    for (n, record) in (0..300).rev().zip(records) {
        must_be!(record, Some(stored(key(n), n.to_string(), n, 0)));
    }
}

/// Records of all owners, after the last handle was dropped.
pub async fn records_are_there_after_reopening<H: Harness>(mut world: World<H>) {
    let keys =
        [plain(1, ""), plain(1, [0xff; 96]), shared(2, "s"), about(1, "c"), of_the_store("s"), fence(1)];
    world.done(open(1, 1, 2)).await;
    world.done(all((1..).zip(&keys).map(|(n, key)| put_due(key.clone(), n.to_string(), n, n)))).await;
    let before = world.records(keys.to_vec()).await;
    assert!(before.iter().all(Option::is_some), "{before:?}");
    world.reopen().await;
    must_be!(world.records(keys.to_vec()).await, before);
    must_be!(world.names_under(plain(1, "")).await, [Vec::new(), vec![0xff; 96]]);
}
