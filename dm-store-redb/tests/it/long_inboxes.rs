//! An inbox in which a device skips more entries than the read of one page examines.

use dm_core::store::*;
use dm_store_redb::RedbStore;

use crate::common::{append, open, who, whole_inbox};

#[tokio::test]
async fn a_page_that_skips_many_entries_ends_early_and_later_pages_continue() {
    let folder = tempfile::tempdir().unwrap();
    let store = RedbStore::open(folder.path().join("dm.redb")).unwrap();
    store.commit(vec![open(1, 1, 2)]).await.unwrap();
    let own: Vec<_> = (1..=10_000).map(|id| append(1, 2, id, id)).collect();
    for batch in own.chunks(1_000) {
        store.commit(batch.to_vec()).await.unwrap();
    }
    store.commit(vec![append(1, 1, 10_001, 10_001)]).await.unwrap();

    let mut query = InboxQuery { own: OwnEntries::Skip, ..whole_inbox(who(2)) };
    let (mut shown, mut pages) = (Vec::new(), 0);
    loop {
        let page = store.inbox(query.clone()).await.unwrap();
        assert!(page.through > query.after, "{page:?}");
        let passed = page.through.get() - query.after.get();
        assert!(passed < 5_000, "one page walked over {passed} entries");
        shown.extend(page.entries.iter().map(|entry| entry.seq.get()));
        (query.after, pages) = (page.through, pages + 1);
        if page.through == page.head {
            break;
        }
    }
    assert_eq!(shown, [1, 10_002], "in {pages} pages");
}
