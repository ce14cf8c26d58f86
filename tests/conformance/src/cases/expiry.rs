//! Clause 15, expiry: old entries are removed from the start of an inbox.

use dm_core::store::{Depth, InboxSeq, ServerSequence};

use crate::build::{
    ack_entries, ack_messages, ack_up_to, append, at, conversation, expire, open, open_from, register, user,
    who,
};
use crate::reads::{seqs, sequences};
use crate::{Harness, World};

pub use super::proofs::*;

/// An entry that was queued exactly at the given time stays.
pub async fn entries_queued_before_the_time_go<H: Harness>(world: World<H>) {
    queued_at(&world, [2, 3, 4, 5]).await;
    let (entries, _) = world.expire(expire(4, 100)).await;
    must_be!(entries, 6);
    for n in [1, 2] {
        let page = world.inbox(&who(n)).await;
        must_be!(
            (seqs(&page.entries), page.floor, page.head),
            (vec![4, 5], InboxSeq::new(3), InboxSeq::new(5))
        );
    }
}

/// All entries are too new.
pub async fn nothing_goes_before_its_time<H: Harness>(world: World<H>) {
    queued_at(&world, [2, 3]).await;
    let before = world.snapshot().await;
    for time in [0, 1] {
        must_be!(world.expire(expire(time, 100)).await, (0, false));
    }
    must_be!(world.snapshot().await, before);
}

/// The clock jumped back: an entry from before the jump is not old enough and keeps the entries
/// after it.
pub async fn an_entry_that_is_not_old_enough_keeps_the_later_ones<H: Harness>(world: World<H>) {
    queued_at(&world, [2, 90, 3, 4]).await;
    must_be!(world.expire(expire(50, 100)).await.0, 4);
    must_be!(seqs(&world.inbox(&who(2)).await.entries), [3, 4, 5]);
    must_be!(world.expire(expire(91, 100)).await.0, 6);
}

/// No step removes more than its limit, and the last step leaves nothing to expire.
pub async fn a_step_removes_no_more_than_its_limit<H: Harness>(world: World<H>) {
    queued_at(&world, [2, 3, 4, 5]).await;
    let (mut steps, mut gone) = (0, 0);
    loop {
        let (entries, more) = world.expire(expire(5, 3)).await;
        assert!(entries <= 3, "{entries} entries went");
        (steps, gone) = (steps + 1, gone + entries);
        if !more {
            break;
        }
        assert!(steps < 20, "the steps do not end");
    }
    must_be!(gone, 8);
    must_be!(seqs(&world.inbox(&who(1)).await.entries), [5]);
    must_be!(seqs(&world.inbox(&who(2)).await.entries), [5]);
}

/// Zero is a valid limit.
pub async fn a_step_of_no_entries_removes_none_and_says_that_there_are_more<H: Harness>(world: World<H>) {
    queued_at(&world, [2, 3]).await;
    let before = world.snapshot().await;
    must_be!(world.expire(expire(100, 0)).await, (0, true));
    must_be!(world.snapshot().await, before);
}

/// The entries that stay in an inbox have its newest numbers.
pub async fn a_step_takes_the_oldest_numbers_of_an_inbox<H: Harness>(world: World<H>) {
    queued_at(&world, [2, 3, 4, 5]).await;
    for _ in 0..5 {
        world.done(expire(100, 1)).await;
        for n in [1, 2] {
            let page = world.inbox(&who(n)).await;
            must_be!(seqs(&page.entries), (page.floor.get() + 1..=5).collect::<Vec<_>>());
        }
    }
}

/// The conversation still has all messages, with their numbers.
pub async fn messages_stay_in_their_conversation<H: Harness>(world: World<H>) {
    queued_at(&world, [2, 3, 4]).await;
    world.done(expire(100, 100)).await;
    let history = world.history(user(2), conversation(1)).await.unwrap();
    must_be!(sequences(&history.messages), [1, 2, 3]);
    must_be!(world.state(1).await.unwrap().head, ServerSequence::new(3));
    must_be!(world.list(2, None, 9).await.len(), 1);
}

/// New entries expire also in an inbox of which everything expired before.
pub async fn new_entries_expire_after_all_old_ones_did<H: Harness>(world: World<H>) {
    queued_at(&world, [2, 3]).await;
    world.done(expire(100, 100)).await;
    for (id, time) in [(3, 101), (4, 102)] {
        world.append(dm_core::store::AppendMessage { at: at(time), ..append(1, 1, id) }).await;
    }
    must_be!(world.expire(expire(102, 100)).await.0, 2);
    must_be!(seqs(&world.inbox(&who(2)).await.entries), [5]);
}

/// The store has no entries.
pub async fn an_empty_store_has_nothing_to_expire<H: Harness>(world: World<H>) {
    must_be!(world.expire(expire(u64::MAX, 100)).await, (0, false));
}

/// Times are compared as unsigned numbers of 64 bits.
pub async fn the_largest_time_is_after_all_others<H: Harness>(world: World<H>) {
    queued_at(&world, [2, 3, u64::MAX]).await;
    must_be!(world.expire(expire(u64::MAX, 100)).await.0, 6);
    must_be!(world.expire(expire(100, 100)).await.0, 0);
    must_be!(seqs(&world.inbox(&who(2)).await.entries), [4]);
}

/// The entries of one inbox do not keep those of another.
pub async fn an_inbox_does_not_keep_entries_of_another<H: Harness>(world: World<H>) {
    queued_at(&world, [90, 2, 3]).await;
    world.done(open(2, 3, 4)).await;
    world.append(append(2, 3, 4)).await;
    world.done(expire(50, 100)).await;
    must_be!(world.inbox(&who(2)).await.floor, InboxSeq::new(1));
    must_be!(world.inbox(&who(4)).await.floor, InboxSeq::new(2));
}

/// The clock jumped back after a step that found nothing old enough.
pub async fn an_inbox_with_older_entries_than_the_others_expires_first<H: Harness>(world: World<H>) {
    world.done(open_from(1, who(1), 2, at(90))).await;
    must_be!(world.expire(expire(50, 100)).await, (0, false));
    world.done(open_from(2, who(3), 4, at(2))).await;
    must_be!(world.expire(expire(50, 100)).await, (2, false));
    must_be!(world.inbox(&who(4)).await.floor, InboxSeq::new(1));
    must_be!(seqs(&world.inbox(&who(2)).await.entries), [1]);
}

/// The cursor does not move, so that the device learns of the gap.
pub async fn a_devices_cursor_stays_below_expired_entries<H: Harness>(world: World<H>) {
    queued_at(&world, [2, 3, 4, 5]).await;
    world.commit(vec![register(who(2)), ack_up_to(who(2), 1), expire(4, 100)]).await;
    must_be!(world.cursor(&who(2)).await, 1);
    must_be!(world.pending(&who(2)).await, [4, 5]);
    must_be!(world.depth(&who(2)).await, Depth { messages: 2, notices: 0 });
}

/// A device acknowledges an entry that has expired meanwhile.
pub async fn expired_entries_may_still_be_acknowledged<H: Harness>(world: World<H>) {
    queued_at(&world, [2, 3, 4, 5]).await;
    world.commit(vec![register(who(2)), expire(4, 100)]).await;
    let entries = world.ack(ack_entries(who(2), [1, 2])).await;
    must_be!((entries.acknowledged, entries.unknown), (2, 0));
    let messages = world.ack(ack_messages(who(2), [1])).await;
    must_be!((messages.acknowledged, messages.unknown), (1, 0));
    must_be!(world.ack(ack_up_to(who(2), 3)).await.cursor, InboxSeq::new(3));
    must_be!(world.pending(&who(2)).await, [4, 5]);
}

/// An acknowledgement that names an expired entry counts it, because the inbox once held it, and
/// stores no mark. Only `UpTo` moves the cursor to an expired entry.
pub async fn naming_an_expired_entry_counts_it_and_changes_nothing<H: Harness>(world: World<H>) {
    queued_at(&world, [2, 3, 4, 5]).await;
    world.commit(vec![register(who(2)), expire(4, 100)]).await;
    let before = world.snapshot().await;
    for (write, named) in [(ack_entries(who(2), [3, 1, 2]), 3), (ack_messages(who(2), [2, 1]), 2)] {
        let done = world.ack(write).await;
        must_be!((done.cursor, done.acknowledged, done.unknown), (InboxSeq::ZERO, named, 0));
        must_be!(world.snapshot().await, before);
    }
    let done = world.ack(ack_up_to(who(2), 2)).await;
    must_be!((done.cursor, done.acknowledged, done.unknown), (InboxSeq::new(2), 2, 0));
}

/// One step removes a thousand entries, with a limit that allows more.
pub async fn a_step_removes_a_thousand_entries<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    world.commit((2..=500).map(|id| append(1, 1, id).into()).collect()).await;
    must_be!(world.expire(expire(1_000, 5_000)).await, (1_000, false));
    let page = world.inbox(&who(2)).await;
    must_be!((seqs(&page.entries), page.floor, page.head), (vec![], InboxSeq::new(500), InboxSeq::new(500)));
}

/// A mark above the cursor is removed together with its entry, and hides no other entry.
pub async fn a_mark_on_an_expired_entry_hides_nothing<H: Harness>(world: World<H>) {
    queued_at(&world, [2, 3, 4, 5]).await;
    world
        .commit(vec![register(who(2)), ack_up_to(who(2), 1), ack_entries(who(2), [3]), expire(4, 100)])
        .await;
    must_be!(world.pending(&who(2)).await, [4, 5]);
    must_be!(world.ack(ack_up_to(who(2), 4)).await.cursor, InboxSeq::new(4));
}

/// The floor is durable.
pub async fn the_floor_is_there_after_reopening<H: Harness>(mut world: World<H>) {
    queued_at(&world, [2, 3, 4, 5]).await;
    world.done(expire(4, 100)).await;
    world.reopen().await;
    let page = world.inbox(&who(2)).await;
    must_be!((seqs(&page.entries), page.floor), (vec![4, 5], InboxSeq::new(3)));
    must_be!(world.expire(expire(4, 100)).await, (0, false));
}

/// A notice at time 1 and messages at these times, in the inboxes of users 1 and 2.
async fn queued_at<H: Harness, const N: usize>(world: &World<H>, times: [u64; N]) {
    world.done(open(1, 1, 2)).await;
    for (id, time) in (1..).zip(times) {
        world.append(dm_core::store::AppendMessage { at: at(time), ..append(1, 1, id) }).await;
    }
}
