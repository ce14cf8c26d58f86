//! Records that are taken.

use std::collections::BTreeSet;
use std::sync::Arc;

use dm_core::store::{Change, Done, Outcome, Record};

use crate::outcome::done;
use crate::records::{all, fence, of_the_store, only, plain, put, put_due, shared, stored, take, under};
use crate::{Harness, World};

/// The first by the order of bytes, with all its fields; the others stay.
pub async fn the_first_record_is_taken_and_returned<H: Harness>(world: World<H>) {
    for bytes in [&b"b"[..], b"a\xff", b"\xff", b"aa"] {
        world.done(only(put(plain(1, bytes), bytes, 1))).await;
    }
    let expected = stored(plain(1, "aa"), "aa", 1, 0);
    must_be!(world.done(only(take(plain(1, "")))).await.taken, [Some(expected)]);
    must_be!(world.names_under(plain(1, "")).await, [&b"a\xff"[..], b"b", b"\xff"]);
    must_be!(values(&world.done(only(take(plain(1, "b")))).await), [Some("b".into())]);
    must_be!(world.names_under(plain(1, "")).await, [&b"a\xff"[..], b"\xff"]);
}

/// Neither the end of a prefix nor that of a kind is passed.
pub async fn only_records_under_the_prefix_are_taken<H: Harness>(world: World<H>) {
    world
        .done(all([put(plain(1, "a"), "a", 1), put(plain(1, "c"), "c", 1), put(plain(3, "b"), "b", 1)]))
        .await;
    let before = world.snapshot().await;
    for key in [plain(1, "b"), plain(1, "ab"), plain(1, [0xff]), plain(2, ""), plain(0, ""), of_the_store("")]
    {
        must_be!(world.done(only(take(key))).await.taken, [None]);
    }
    must_be!(world.snapshot().await, before);
}

/// The other record is returned if there is none under the prefix, and it is never removed.
pub async fn the_other_record_is_returned_and_kept<H: Harness>(world: World<H>) {
    let taking = || only(Change::TakeFirst { under: under(plain(1, "k")), or: Some(plain(1, "last")) });
    world.done(all([put(plain(1, "k1"), "one", 1), put(plain(1, "last"), "last", 2)])).await;
    for expected in ["one", "last", "last"] {
        must_be!(values(&world.done(taking()).await), [Some(expected.into())]);
    }
    must_be!(world.record(plain(1, "last")).await, Some(stored(plain(1, "last"), "last", 2, 0)));
    world.done(only(Change::Delete(plain(1, "last")))).await;
    must_be!(world.done(taking()).await.taken, [None]);
}

/// One item for each change that takes, in their order.
pub async fn each_taking_change_has_an_item<H: Harness>(world: World<H>) {
    world
        .done(all([put(plain(1, "a"), "a", 1), put(plain(1, "b"), "b", 1), put(plain(2, "a"), "c", 1)]))
        .await;
    let write = all([
        take(plain(2, "")),
        put(plain(3, "x"), "x", 1),
        take(plain(1, "b")),
        take(plain(4, "")),
        take(plain(1, "a")),
    ]);
    let items = [Some("c".into()), Some("b".into()), None, Some("a".into())];
    must_be!(values(&world.done(write).await), items);
}

/// Put and taken in one batch; taken, put again and taken again.
pub async fn records_are_put_and_taken_in_one_batch<H: Harness>(world: World<H>) {
    world.done(only(put(plain(1, "k5"), "old", 1))).await;
    let outcomes = world
        .commit(vec![
            only(put(plain(1, "k1"), "one", 1)),
            only(take(plain(1, "k"))),
            only(take(plain(1, "k"))),
            only(put(plain(1, "k1"), "again", 2)),
            only(take(plain(1, "k"))),
            only(take(plain(1, "k"))),
            only(put(plain(1, "k5"), "new", 3)),
            only(put(plain(1, "k2"), "two", 4)),
            only(Change::Clear(under(plain(1, "k2")))),
            only(take(plain(1, "k"))),
        ])
        .await;
    let taken: Vec<_> = outcomes.into_iter().flat_map(|outcome| values(&done(outcome))).collect();
    let expected = [Some("one"), Some("old"), Some("again"), None, Some("new")];
    must_be!(taken, expected.map(|value| value.map(str::to_owned)));
    must_be!(world.names_under(plain(1, "")).await.len(), 0);
}

/// Twenty tasks, and fewer records: each record is taken by one task.
pub async fn a_record_is_taken_once_by_tasks_at_once<H: Harness>(world: World<H>) {
    world.done(all((0..12).map(|n| put(plain(1, [n]), [n], 1)))).await;
    let outcomes = world.at_once((0..20).map(|_| vec![only(take(plain(1, "")))])).await;
    each_once(outcomes.into_iter().flatten(), 12);
    must_be!(world.names_under(plain(1, "")).await.len(), 0);
}

/// Two handles take in turn and at the same time.
pub async fn a_record_is_taken_once_by_two_handles<H: Harness>(world: World<H>) {
    world.commit((0..60).map(|n| only(put(plain(1, [n]), [n], 1))).collect()).await;
    let Some(second) = world.second_handle().await.map(Arc::new) else { return };
    let batches = || (0..35).map(|_| vec![only(take(plain(1, "")))]).collect();
    let outcomes = world.in_step([(world.store(), batches()), (second, batches())]).await;
    each_once(outcomes.into_iter().flatten().flatten(), 60);
}

/// Batches that take many records, with due times, take them in the order of their names.
pub async fn three_hundred_records_are_taken_in_order<H: Harness>(world: World<H>) {
    let key = |n: u64| plain(1, n.to_be_bytes());
    world.commit((0..300).rev().map(|n| only(put_due(key(n), n.to_string(), n, n))).collect()).await;
    for first in [0, 100, 200] {
        let outcomes = world.commit((0..100).map(|_| only(take(plain(1, "")))).collect()).await;
        let taken: Vec<_> = outcomes.into_iter().flat_map(|outcome| values(&done(outcome))).collect();
        must_be!(taken, (first..first + 100).map(|n| Some(n.to_string())).collect::<Vec<_>>());
    }
}

/// A taken record is gone after the last handle was dropped.
pub async fn a_taken_record_is_not_taken_after_reopening<H: Harness>(mut world: World<H>) {
    world
        .done(all([put(plain(1, "a"), "a", 1), put(plain(1, "b"), "b", 1), put(shared(1, "a"), "s", 1)]))
        .await;
    world.done(all([take(plain(1, "")), take(shared(1, ""))])).await;
    world.reopen().await;
    must_be!(world.names_under(plain(1, "")).await, [b"b"]);
    must_be!(
        values(&world.done(all([take(plain(1, "")), take(shared(1, ""))])).await),
        [Some("b".into()), None]
    );
    must_be!(world.record(fence(1)).await, None);
}

/// The values that a write took.
fn values(done: &Done) -> Vec<Option<String>> {
    let value = |record: &Record| String::from_utf8_lossy(&record.value).into_owned();
    done.taken.iter().map(|record| record.as_ref().map(value)).collect()
}

/// Each of the records with the values 0 to `count` was taken, and none of them twice.
fn each_once(outcomes: impl Iterator<Item = Outcome>, count: usize) {
    let taken: Vec<_> = outcomes.flat_map(|outcome| done(outcome).taken).flatten().map(|r| r.value).collect();
    must_be!(taken.len(), count, "the records that were taken");
    must_be!(taken.iter().collect::<BTreeSet<_>>().len(), count, "the different ones among them");
}
