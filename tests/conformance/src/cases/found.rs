//! Clause 17, found is not done again.

use std::sync::Arc;

use dm_core::store::{Change, Expect, Outcome, Party, RecordKey, Store as _, Write};

use crate::build::{append, append_as, forget, on, open, register, tag, who};
use crate::outcome::{done, opened, registered};
use crate::records::{
    all, fence, fenced, gate_bits, of_the_store, only, plain, posted, put, put_due, raise, shared, stored,
    take,
};
use crate::{Harness, World};

/// The write with changes of each sort and with posts.
fn with_effects(write: Write, n: u64) -> Write {
    write
        .change(put(plain(1, "p"), n.to_string(), n))
        .change(put(shared(1, "s"), n.to_string(), n))
        .change(raise(plain(1, "r"), [9; 9], n))
        .change(Change::Delete(plain(1, "old")))
        .change(take(plain(1, "k")))
        .post(posted(1, n))
        .post(posted(3, n))
}

/// Prepares what [`with_effects`] removes.
async fn prepare<H: Harness>(world: &World<H>) {
    world.done(open(1, 1, 2)).await;
    world.done(all(["old", "k1", "k2"].map(|name| put(plain(1, name), "v", 1)))).await;
}

/// Commits a write twice, the second time with other effects. It must be found the second time.
async fn is_found_without_effects<H: Harness>(world: &World<H>, write: Write) {
    assert!(!world.done(with_effects(write.clone(), 1)).await.is_found, "{write:?} is found at first");
    world.done(only(put(plain(1, "old"), "back", 2))).await;
    let before = world.snapshot().await;
    let again = world.done(with_effects(write, 2)).await;
    assert!(again.is_found, "{again:?}");
    must_be!((again.taken.len(), again.revisions.len(), again.appended.len()), (0, 0, 0));
    must_be!(world.snapshot().await, before);
}

/// The repeat returns the first message.
pub async fn a_repeated_send_makes_no_change_and_no_post<H: Harness>(world: World<H>) {
    prepare(&world).await;
    is_found_without_effects(&world, append_as(1, 1, 1, 1).into()).await;
    let again = world.append(with_effects(append_as(1, 1, 1, 1).into(), 3)).await;
    must_be!(
        (again.is_found, again.message.sequence.get(), again.message.sender_sequence.get()),
        (true, 1, 1)
    );
}

/// The repeat names the fence that the first send named, which has moved since.
pub async fn a_repeat_whose_fence_moved_is_answered_as_the_first<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), only(put(fence(2), "one", 1)), only(put(fence(1), "one", 1))]).await;
    let send = |id| {
        Write::from(append_as(1, 1, id, 5))
            .expect(fenced(Party::Peer, 1))
            .expect(fenced(Party::Sender, 1))
            .change(put(plain(1, "p"), id.to_string(), id))
            .post(posted(2, id))
    };
    let send = |id| Write { action: Write::from(append_as(1, 1, 1, 5)).action, ..send(id) };
    let first = world.append(send(1)).await;
    world.commit(vec![only(put(fence(2), "two", 2)), only(Change::Delete(fence(1)))]).await;
    let before = world.snapshot().await;
    let again = world.append(send(2)).await;
    must_be!((again.is_found, &again.message, again.sender_seq), (true, &first.message, first.sender_seq));
    must_be!(again.appended.len(), 0);
    must_be!(world.snapshot().await, before);
    world.refused(Write::from(append_as(1, 1, 2, 6)).expect(fenced(Party::Peer, 1))).await;
}

/// The gate was closed after the first write.
pub async fn what_was_done_is_found_behind_a_closed_gate<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), append_as(1, 1, 1, 1).into()]).await;
    world.commit(vec![gate_bits(1, 2, 0xff, 0), crate::records::user_gate(1, true)]).await;
    assert!(world.append(append_as(1, 1, 1, 1)).await.is_found);
    let found = world.done(open(2, 2, 1)).await;
    must_be!(opened(&found), opened(&world.done(open(3, 1, 2)).await));
    must_be!(opened(&found).1, false);
    world.refused(append_as(1, 1, 2, 2).into()).await;
}

/// Either user opens it again.
pub async fn an_open_conversation_makes_no_change_and_no_post<H: Harness>(world: World<H>) {
    prepare(&world).await;
    is_found_without_effects(&world, open(2, 1, 4)).await;
    let again = world.done(with_effects(open(9, 4, 1), 3)).await;
    must_be!((again.is_found, again.appended.len()), (true, 0));
}

/// The registration stays as it is.
pub async fn a_registered_device_makes_no_change_and_no_post<H: Harness>(world: World<H>) {
    prepare(&world).await;
    is_found_without_effects(&world, register(who(1))).await;
    must_be!(registered(&world.done(register(who(1))).await).registration.get(), 1);
}

/// A device that was forgotten, and one that never was registered.
pub async fn a_device_that_is_forgotten_makes_no_change_and_no_post<H: Harness>(world: World<H>) {
    prepare(&world).await;
    world.done(register(on(1, "desk"))).await;
    is_found_without_effects(&world, forget(on(1, "desk"))).await;
    let before = world.snapshot().await;
    assert!(world.done(with_effects(forget(who(5)), 7)).await.is_found);
    must_be!(world.snapshot().await, before);
}

/// As after an unknown outcome: the same write is committed again, although its condition is not
/// met any more.
pub async fn a_put_after_an_unknown_outcome_is_done_once<H: Harness>(world: World<H>) {
    for key in [plain(1, "a"), shared(1, "a"), of_the_store("a"), fence(1)] {
        let write =
            || only(put_due(key.clone(), "v", 1, 5)).expect(Expect::Absent(key.clone())).post(posted(2, 1));
        assert!(!world.done(write()).await.is_found);
        let before = world.snapshot().await;
        for _ in 0..2 {
            let again = world.done(write()).await;
            must_be!((again.is_found, again.appended.len(), again.revisions.len()), (true, 0, 0));
        }
        must_be!(world.snapshot().await, before);
    }
}

/// The first put or raised record decides, also if another change comes before it.
pub async fn a_write_is_found_by_its_first_put_record<H: Harness>(world: World<H>) {
    let (a, b) = (|| put(plain(1, "a"), "v", 1), || raise(plain(1, "b"), "v", 1));
    world.done(only(a())).await;
    world.done(all([b(), a()])).await;
    must_be!(world.names_under(plain(1, "")).await, [b"a", b"b"]);
    world.done(only(Change::Delete(plain(1, "a")))).await;
    let before = world.snapshot().await;
    for first in [Change::Delete(plain(1, "x")), take(plain(2, ""))] {
        assert!(world.done(all([first, b(), a()])).await.is_found);
    }
    must_be!(world.snapshot().await, before);
    assert!(!world.done(all([a(), b()])).await.is_found);
}

/// Both tag and value have to be the same; the due time does not matter.
pub async fn a_record_with_another_tag_or_value_is_put<H: Harness>(world: World<H>) {
    let key = || plain(1, "a");
    for (change, is_found) in [
        (put(key(), "v", 1), false),
        (put(key(), "v", 1), true),
        (put_due(key(), "v", 1, 9), true),
        (put(key(), "w", 1), false),
        (put(key(), "w", 2), false),
        (put(key(), "", 2), false),
        (put(key(), "", 2), true),
        (raise(key(), "", 2), true),
        (raise(key(), "x", 2), false),
    ] {
        must_be!(world.done(only(change.clone())).await.is_found, is_found, "{change:?}");
    }
    must_be!(world.record(key()).await, Some(stored(key(), "x", 2, 0)));
}

/// A write with an action is done again, unless its action is found.
pub async fn a_write_with_an_action_is_not_found_by_its_record<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    for n in 1..=3 {
        let write = Write::from(append(1, 1, n)).change(put(shared(1, "s"), "v", 1)).post(posted(2, n));
        let done = world.done(write).await;
        must_be!((done.is_found, done.appended.len()), (false, 3));
        must_be!(world.record(shared(1, "s")).await, Some(stored(shared(1, "s"), "v", 1, n)));
    }
}

/// A write without an action, a put or a raised record is always done.
pub async fn posts_alone_are_never_found<H: Harness>(world: World<H>) {
    for n in 1..=3 {
        let done = world.done(Write::default().post(posted(1, 1))).await;
        must_be!((done.is_found, done.appended.len()), (false, 1));
        must_be!(world.heads([1]).await, [n]);
    }
    assert!(!world.done(only(Change::Delete(plain(1, "a")))).await.is_found);
    assert!(!world.done(gate_bits(1, 2, 0, 0)).await.is_found);
}

/// The repeat is in the batch of the first write.
pub async fn a_repeat_in_the_same_batch_is_found<H: Harness>(world: World<H>) {
    let send = || Write::from(append_as(1, 1, 1, 1)).post(posted(2, 5));
    let record = || only(put(plain(1, "a"), "v", 1)).post(posted(2, 6));
    let batch =
        vec![open(1, 1, 2), send(), record(), send(), record(), only(put(plain(1, "a"), "w", 2)), record()];
    let found: Vec<_> = world.commit(batch).await.into_iter().map(|outcome| done(outcome).is_found).collect();
    must_be!(found, [false, false, false, true, true, false, false]);
    must_be!(world.heads([2]).await, [5]);
}

/// Fifty tasks commit the same write, as impatient callers do.
pub async fn of_equal_writes_at_once_one_is_done<H: Harness>(world: World<H>) {
    let write = || vec![only(put(plain(1, "a"), "v", 1)).post(posted(2, 1))];
    let outcomes = world.at_once((0..50).map(|_| write())).await;
    let is_done = |outcome: &&Outcome| matches!(outcome, Outcome::Done(done) if !done.is_found);
    must_be!(outcomes.iter().flatten().filter(is_done).count(), 1);
    must_be!(world.heads([2]).await, [1]);
}

/// Another handle did the write.
pub async fn what_another_handle_did_is_found<H: Harness>(world: World<H>) {
    let Some(second) = world.second_handle().await.map(Arc::new) else { return };
    world.done(open(1, 1, 2)).await;
    for n in 1..=10 {
        let send = || vec![Write::from(append_as(1, 1, n, n)).post(posted(2, n))];
        let key = || RecordKey { name: crate::build::name(n.to_string()), ..plain(1, "") };
        let record = || vec![only(put(key(), "v", 1)).expect(Expect::Absent(key())).post(posted(2, n))];
        for batch in [send(), record()] {
            assert!(!done(second.commit(batch.clone()).await.unwrap().remove(0)).is_found);
            assert!(done(world.commit(batch).await.remove(0)).is_found);
        }
    }
    must_be!(world.heads([2]).await, [31]);
}

/// What was done is known after the last handle was dropped.
pub async fn what_was_done_is_found_after_reopening<H: Harness>(mut world: World<H>) {
    let record =
        || only(put(shared(1, "a"), "v", 1)).expect(Expect::Absent(shared(1, "a"))).post(posted(2, 1));
    let send = || Write::from(append_as(1, 1, 1, 1)).post(posted(2, 2));
    world.commit(vec![open(1, 1, 2), record(), send()]).await;
    world.reopen().await;
    let before = world.snapshot().await;
    for write in [record(), send(), open(5, 2, 1)] {
        assert!(world.done(write).await.is_found);
    }
    must_be!(world.snapshot().await, before);
    must_be!(crate::records::tag_of(world.record(shared(1, "a")).await.as_ref()), Some(tag(1)));
}
