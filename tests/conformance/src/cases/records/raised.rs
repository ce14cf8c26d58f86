//! Records that only move forward.

use dm_core::store::Change;

use crate::build::{at, tag};
use crate::records::{all, byte, only, plain, put_due, raise, shared, stored};
use crate::{Harness, World};

/// Values are compared by their bytes, from the first one; a value is above its own start.
pub async fn a_raised_record_never_becomes_smaller<H: Harness>(world: World<H>) {
    let mut highest = Vec::new();
    let values = [&b"b"[..], b"a", b"b\0", b"b", b"az", b"b\0\0", b"\xff", b"\xfe\xff", b"\xff\0", b"c"];
    for (n, value) in (1..).zip(values) {
        world.done(only(raise(plain(1, "r"), value, n))).await;
        highest = highest.max(value.to_vec());
        must_be!(world.value(plain(1, "r")).await, Some(highest.clone()), "after {value:x?}");
    }
}

/// The tag and the due time stay as well.
pub async fn raising_to_a_value_that_is_not_larger_changes_nothing<H: Harness>(world: World<H>) {
    world.done(only(put_due(plain(1, "r"), "b", 1, 7))).await;
    let before = world.snapshot().await;
    for (n, value) in [(2, "b"), (3, "a"), (4, "")] {
        assert!(!world.done(only(raise(plain(1, "r"), value, n))).await.is_found);
    }
    must_be!(world.snapshot().await, before);
}

/// A record that is not there is put, also with the empty value.
pub async fn raising_no_record_puts_one<H: Harness>(world: World<H>) {
    for (n, value) in (1..).zip(["", "v"]) {
        let key = plain(1, value);
        world.done(only(raise(key.clone(), value, n))).await;
        must_be!(world.record(key.clone()).await, Some(stored(key, value, n, 0)));
    }
}

/// A raised record has the new tag and due time.
pub async fn raising_replaces_tag_and_due_time<H: Harness>(world: World<H>) {
    world.done(only(put_due(plain(1, "r"), "a", 1, 7))).await;
    let Change::Put(put) = put_due(plain(1, "r"), "b", 2, 9) else { unreachable!() };
    world.done(only(Change::Raise(put))).await;
    let record = world.record(plain(1, "r")).await.unwrap();
    must_be!((record.tag, record.due), (tag(2), Some(at(9))));
}

/// Several writes of one batch raise the same record, in no order.
pub async fn one_batch_raises_a_record_to_its_largest_value<H: Harness>(world: World<H>) {
    let values = [3_u64, 9, 1, 8, 200, 199, 0];
    let write =
        |n: u64| all([raise(plain(1, "r"), n.to_be_bytes(), n), raise(shared(1, "r"), n.to_be_bytes(), n)]);
    world.commit(values.map(write).to_vec()).await;
    must_be!(world.record(plain(1, "r")).await, Some(stored(plain(1, "r"), 200_u64.to_be_bytes(), 200, 0)));
    must_be!(world.record(shared(1, "r")).await, Some(stored(shared(1, "r"), 200_u64.to_be_bytes(), 200, 3)));
}

/// Fifty tasks raise the same record.
pub async fn raises_at_once_keep_the_largest_value<H: Harness>(world: World<H>) {
    world.at_once((1..=50).map(|n| vec![only(raise(plain(1, "r"), [byte(n * 7 % 51)], n))])).await;
    must_be!(world.value(plain(1, "r")).await, Some(vec![50]));
}
