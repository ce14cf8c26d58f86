//! Inboxes in which the read of a page skips more consecutive entries than it may examine. Entries
//! are skipped if the device caused or acknowledged them.

use dm_conformance::build::{ack_entries, ack_up_to};
use dm_core::store::*;
use dm_store_sqlite::SqliteStore;

use crate::common::{append, open, register, user, who};

/// The number of entries that the read of one page examines.
const EXAMINED: u64 = 4_096;

/// Commits the writes in batches.
async fn commit_in_batches(store: &SqliteStore, writes: impl Iterator<Item = Write>) {
    let writes: Vec<_> = writes.collect();
    for batch in writes.chunks(500) {
        store.commit(batch.to_vec()).await.unwrap();
    }
}

/// Reads all pages of user 2's inbox after the number `after`. Returns the numbers of the entries,
/// and the number of pages.
async fn read_all_pages(
    store: &SqliteStore,
    after: u64,
    limit: usize,
    max_bytes: usize,
) -> (Vec<u64>, usize) {
    let (mut after, mut shown, mut pages) = (InboxSeq::new(after), Vec::new(), 0);
    loop {
        let query = InboxQuery { who: who(2), after, own: OwnEntries::Skip, limit, max_bytes };
        let page = store.inbox(query).await.unwrap();
        assert!(
            page.entries.len() <= limit && (page.through > after || page.through == page.head),
            "{page:?}"
        );
        shown.extend(page.entries.iter().map(|entry| entry.seq.get()));
        (after, pages) = (page.through, pages + 1);
        if page.through >= page.head {
            return (shown, pages);
        }
        assert!(pages < 100, "the pages do not end: {page:?}");
    }
}

/// Fills user 2's inbox with one notice, then `own_messages` messages that user 2 sent, then three
/// messages of the peer.
async fn fill_inbox(store: &SqliteStore, own_messages: u64) {
    store.commit(vec![open(1, 1, 2)]).await.unwrap();
    commit_in_batches(store, (1..=own_messages).map(|id| append(1, 2, id, id))).await;
    let peer_messages = own_messages + 1..=own_messages + 3;
    commit_in_batches(store, peer_messages.map(|id| append(1, 1, id, id))).await;
}

#[tokio::test]
async fn entries_after_many_own_entries_are_reached() {
    for count in [EXAMINED - 1, EXAMINED, EXAMINED + 1, 2 * EXAMINED + 10] {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("dm.db")).unwrap();
        fill_inbox(&store, count).await;
        let expected = [1, count + 2, count + 3, count + 4];
        for (limit, max_bytes) in [(1, usize::MAX), (2, usize::MAX), (1_000, usize::MAX), (1_000, 1)] {
            let (shown, _) = read_all_pages(&store, 0, limit, max_bytes).await;
            assert_eq!(shown, expected, "{count} own entries, in pages of {limit} and {max_bytes} bytes");
        }
        let (shown, _) = read_all_pages(&store, 1, 2, usize::MAX).await;
        assert_eq!(shown, expected[1..], "{count} own entries, after the first");
    }
}

#[tokio::test]
async fn pages_of_an_inbox_with_own_entries_only_end_at_its_head() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("dm.db")).unwrap();
    store.commit(vec![open(1, 1, 2)]).await.unwrap();
    commit_in_batches(&store, (1..=2 * EXAMINED).map(|id| append(1, 2, id, id))).await;
    for limit in [1, 1_000] {
        let (shown, pages) = read_all_pages(&store, 0, limit, usize::MAX).await;
        assert_eq!(shown, [1], "in {pages} pages of {limit}");
    }
    assert_eq!(store.depth(who(2)).await.unwrap(), Depth { messages: 0, notices: 1 });
}

#[tokio::test]
async fn entries_after_many_acknowledged_entries_are_reached() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("dm.db")).unwrap();
    let last = EXAMINED + 1_000;
    store.commit(vec![open(1, 1, 2), register(who(2)), ack_up_to(who(2), 1)]).await.unwrap();
    commit_in_batches(&store, (1..=last).map(|id| append(1, 1, id, id))).await;
    // The unacknowledged entry 2 blocks the cursor, so each entry above it keeps its own
    // acknowledgement.
    store.commit(vec![ack_entries(who(2), 3..=last - 1)]).await.unwrap();
    for limit in [1, 2, 1_000] {
        let (shown, _) = read_all_pages(&store, 1, limit, usize::MAX).await;
        assert_eq!(shown, [2, last, last + 1], "in pages of {limit}");
    }
    assert_eq!(store.depth(who(2)).await.unwrap(), Depth { messages: 3, notices: 0 });
    assert_eq!(store.devices(user(2)).await.unwrap().first().unwrap().cursor.get(), 1);
}
