//! Clause 25: pages of an inbox.

use dm_core::store::{AppendMessage, InboxQuery, InboxSeq, OwnEntries};

use crate::build::{ack_entries, append, ciphertext, expire, on, open, register, who};
use crate::reads::{inbox_after, seqs};
use crate::{Harness, World};

/// The page does not include the entry at the cursor.
pub async fn an_inbox_page_starts_after_its_cursor<H: Harness>(world: World<H>) {
    ten_entries(&world).await;
    for after in 0..=10 {
        let page = world.page(inbox_after(who(2), after, 100)).await;
        must_be!(seqs(&page.entries), (after + 1..=10).collect::<Vec<_>>());
        must_be!((page.through.get(), page.head.get()), (10, 10));
    }
}

/// Successive pages show every entry once, with limits that divide their number and limits that do
/// not.
pub async fn inbox_pages_join_to_the_whole<H: Harness>(world: World<H>) {
    ten_entries(&world).await;
    for limit in [1, 2, 3, 5, 9, 10, 11] {
        let (mut after, mut all) = (0, Vec::new());
        while after < 10 {
            let page = world.page(inbox_after(who(2), after, limit)).await;
            assert!(page.entries.len() <= limit, "{} of {limit}", page.entries.len());
            assert!(page.through.get() > after, "{page:?} after {after}");
            all.extend(seqs(&page.entries));
            after = page.through.get();
        }
        must_be!(all, (1..=10).collect::<Vec<_>>(), "in pages of {limit}");
        assert!(world.page(inbox_after(who(2), after, limit)).await.entries.is_empty());
    }
}

/// The costs of the entries are added up, and the entry that exceeds the bound is left for the next
/// page.
pub async fn an_inbox_page_keeps_its_bound_in_bytes<H: Harness>(world: World<H>) {
    ten_entries(&world).await;
    let cost = world.inbox(&who(2)).await.entries[1].cost();
    for max_bytes in [cost * 3, cost * 4 - 1] {
        let page = world.page(InboxQuery { max_bytes, ..inbox_after(who(2), 1, 100) }).await;
        let bytes: usize = page.entries.iter().map(dm_core::InboxEntry::cost).sum();
        assert!(bytes <= max_bytes && !page.entries.is_empty(), "{bytes} bytes of {max_bytes}");
        must_be!(page.through, page.entries.last().unwrap().seq);
    }
}

/// Otherwise a reader could not get past that entry.
pub async fn an_entry_larger_than_the_bound_is_a_page<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    for id in 1..=3 {
        world.append(AppendMessage { ciphertext: ciphertext(vec![1; 64 * 1024]), ..append(1, 1, id) }).await;
    }
    for max_bytes in [0, 1, 64 * 1024] {
        let page = world.page(InboxQuery { max_bytes, ..inbox_after(who(2), 2, 100) }).await;
        must_be!((seqs(&page.entries), page.through.get()), (vec![3], 3));
    }
}

/// With any cursor up to the largest number.
pub async fn after_the_head_an_inbox_page_is_empty<H: Harness>(world: World<H>) {
    ten_entries(&world).await;
    for after in [10, 11, u64::MAX - 1, u64::MAX] {
        let page = world.page(inbox_after(who(2), after, 100)).await;
        assert!(page.entries.is_empty());
        must_be!(page.head, InboxSeq::new(10));
    }
}

/// New entries are appended at the end.
pub async fn inbox_pages_are_stable_under_inserts<H: Harness>(world: World<H>) {
    ten_entries(&world).await;
    let (mut after, mut all) = (0, Vec::new());
    for id in 100..106 {
        let page = world.page(inbox_after(who(2), after, 3)).await;
        all.extend(seqs(&page.entries));
        after = page.through.get();
        world.append(append(1, 1, id)).await;
    }
    must_be!(all, (1..=all.len() as u64).collect::<Vec<_>>());
}

/// The query decides, and only for the device that caused the entries.
pub async fn own_entries_are_passed_over_or_shown<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    world
        .commit([1, 2, 2, 1].into_iter().zip(1..).map(|(from, id)| append(1, from, id).into()).collect())
        .await;
    let page = async |who, own| {
        let page = world.page(InboxQuery { own, ..inbox_after(who, 0, 100) }).await;
        (seqs(&page.entries), page.through.get())
    };
    must_be!(page(who(2), OwnEntries::Skip).await, (vec![1, 2, 5], 5));
    must_be!(page(who(2), OwnEntries::Include).await, (vec![1, 2, 3, 4, 5], 5));
    must_be!(page(on(2, "desk"), OwnEntries::Skip).await, (vec![1, 2, 3, 4, 5], 5));
    must_be!(page(who(1), OwnEntries::Skip).await, (vec![3, 4], 5));
}

/// A device that caused all entries reaches the head, even over empty pages.
pub async fn an_inbox_of_own_entries_is_read_to_its_end<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    world.commit((1..=40).map(|id| append(1, 1, id).into()).collect()).await;
    let mut after = 0;
    while after < 41 {
        let page = world.page(inbox_after(who(1), after, 2)).await;
        assert!(page.entries.is_empty());
        assert!(page.through.get() > after, "{page:?} after {after}");
        after = page.through.get();
    }
    must_be!(after, 41);
}

/// Entries above the cursor that were acknowledged one by one.
pub async fn entries_acknowledged_one_by_one_are_left_out<H: Harness>(world: World<H>) {
    ten_entries(&world).await;
    world.commit(vec![register(who(2)), ack_entries(who(2), [3, 4, 9])]).await;
    let (mut after, mut all) = (1, Vec::new());
    while after < 10 {
        let page = world.page(inbox_after(who(2), after, 2)).await;
        assert!(page.through.get() > after, "{page:?} after {after}");
        all.extend(seqs(&page.entries));
        after = page.through.get();
    }
    must_be!(all, [2, 5, 6, 7, 8, 10]);
    must_be!(world.page(inbox_after(on(2, "desk"), 0, 100)).await.entries.len(), 10);
}

/// A cursor below the floor continues with the oldest held entry.
pub async fn an_inbox_page_has_the_newest_expired_number<H: Harness>(world: World<H>) {
    ten_entries(&world).await;
    world.done(expire(5, 100)).await;
    for after in [0, 2, 5] {
        let page = world.page(inbox_after(who(2), after, 2)).await;
        must_be!((seqs(&page.entries), page.floor.get(), page.through.get()), (vec![6, 7], 5, 7));
    }
}

/// Entries 1 to 10 in the inbox of user 2, none of them their own, at times 1, 1, 2, 3 …
async fn ten_entries<H: Harness>(world: &World<H>) {
    world.done(open(1, 1, 2)).await;
    let ids = 1..=9;
    world
        .commit(
            ids.map(|id| AppendMessage { ciphertext: ciphertext("x"), ..append(1, 1, id) }.into()).collect(),
        )
        .await;
}
