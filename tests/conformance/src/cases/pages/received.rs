//! Clause 25: pages of messages from others, and long stretches of entries that a page leaves out.

use dm_core::store::{InboxQuery, OwnEntries, Principal};

use crate::build::{ack_entries, append, on, open, post, register, who};
use crate::reads::{inbox_after, seqs};
use crate::{Harness, World, paging};

/// Length of a stretch, in entries: longer than any store of this workspace reads for one page.
const STRETCH: u64 = 4_500;

/// Notices and the user's own messages are left out, for any sending and any asking device.
pub async fn only_messages_from_others_are_shown_when_asked<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), post(2, 4)]).await;
    world
        .commit([1, 2, 2, 1].into_iter().zip(1..).map(|(from, id)| append(1, from, id).into()).collect())
        .await;
    let all = world.inbox(&who(2)).await;
    let received: Vec<_> =
        all.entries.iter().filter(|entry| entry.message().is_some() && entry.origin.is_none()).collect();
    assert_eq!(received.len(), 2, "{all:?}");
    for reader in [who(2), on(2, "desk")] {
        for limit in [1, 2, 100] {
            let (entries, _) = read_through(&world, &reader, 0, limit).await;
            assert_eq!(entries, received.iter().map(|entry| entry.seq.get()).collect::<Vec<_>>());
        }
    }
    let (opener, _) = read_through(&world, &who(1), 0, 100).await;
    assert_eq!(opener.len(), 2, "what user 2 sent");
}

/// A message after thousands of the user's own is reached, in pages that each move on.
pub async fn a_long_stretch_of_own_entries_is_passed_over<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    world.append(append(1, 2, 1)).await;
    for batch in 0..STRETCH / 500 {
        let ids = 2 + batch * 500..2 + (batch + 1) * 500;
        world.commit(ids.map(|id| append(1, 1, id).into()).collect()).await;
    }
    world.append(append(1, 2, STRETCH + 2)).await;
    let behind = STRETCH + 3;
    for reader in [who(1), on(1, "desk")] {
        let (entries, head) = read_through(&world, &reader, 0, 100).await;
        assert_eq!((entries, head), (vec![2, behind], behind));
    }
    let query = InboxQuery { own: OwnEntries::Skip, ..inbox_after(who(1), 2, 1) };
    assert_eq!(read_on(&world, query).await.0, [behind], "for the device that sent them, too");
}

/// The same with thousands of entries that the device acknowledged one by one.
pub async fn a_long_stretch_of_acknowledged_entries_is_passed_over<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), register(who(2))]).await;
    for batch in 0..STRETCH / 500 {
        let ids = 1 + batch * 500..1 + (batch + 1) * 500;
        world.commit(ids.map(|id| append(1, 1, id).into()).collect()).await;
    }
    world.append(append(1, 1, STRETCH + 1)).await;
    // Entry 1, the notice of the conversation, and entry 2, the first message, are not
    // acknowledged.
    world.done(ack_entries(who(2), 3..STRETCH + 2)).await;
    let (entries, head) = read_through(&world, &who(2), 0, 100).await;
    assert_eq!((entries, head), (vec![2, STRETCH + 2], STRETCH + 2));
}

/// The numbers of the messages from others after an entry, read in pages, and the head of the
/// inbox.
async fn read_through<H: Harness>(
    world: &World<H>,
    reader: &Principal,
    after: u64,
    limit: usize,
) -> (Vec<u64>, u64) {
    let own = OwnEntries::ReceivedOnly;
    read_on(world, InboxQuery { own, ..inbox_after(reader.clone(), after, limit) }).await
}

async fn read_on<H: Harness>(world: &World<H>, query: InboxQuery) -> (Vec<u64>, u64) {
    let page = paging::to_the_head(&*world.store(), query).await.unwrap_or_else(|what| panic!("{what}"));
    (seqs(&page.entries), page.head.get())
}
