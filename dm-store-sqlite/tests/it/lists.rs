//! The list of a user with many conversations, whose newest messages are in the main tables and in
//! several runs. A run is a small group of new rows; 16 runs are a generation, which is merged into
//! the main tables.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;

use dm_conformance::build::{append, at, conversation, expire, open};
use dm_conformance::lists::{self, Last};
use dm_conformance::reads::active;
use dm_core::store::{AppendMessage, ConversationCursor, Store, Timestamp};
use dm_store_sqlite::{SqliteConfig, SqliteStore};

/// A store in a folder. `recent_entries` is the number of inbox entries in a full generation.
fn new_store(folder: &Path, recent_entries: usize) -> SqliteStore {
    let mut config = SqliteConfig::default();
    config.recent_entries = NonZeroUsize::new(recent_entries).unwrap();
    SqliteStore::open_with(folder.join("dm.db"), &config).unwrap()
}

/// Writes `messages` messages in 700 conversations of one user, and checks the list of this user.
async fn check_list(recent_entries: usize, messages: u64, last: Last) {
    let folder = tempfile::tempdir().unwrap();
    lists::check(&new_store(folder.path(), recent_entries), 700, messages, last).await;
}

#[tokio::test]
async fn a_list_is_right_when_most_rows_are_merged() {
    check_list(400, 2_000, Last { ahead: Some(700), right: Some(900) }).await;
}

/// Runs have 1,250 entries, and half of them are the user's. When the newest runs fill the page,
/// the store skips the older runs.
#[tokio::test]
async fn a_list_is_right_when_older_runs_are_skipped() {
    check_list(20_000, 4_000, Last::default()).await;
}

#[tokio::test]
async fn a_list_is_right_when_a_clock_was_ahead_in_an_older_run() {
    check_list(20_000, 4_000, Last { ahead: Some(1_000), right: None }).await;
}

/// There are three generations. The first one is merged. It has a message of a conversation with a
/// clock that was ahead. The second generation is being merged, and is skipped. It has the newest
/// message of that conversation.
#[tokio::test]
async fn a_list_is_right_when_a_skipped_run_has_the_newest_message() {
    check_list(20_000, 20_900, Last { ahead: Some(100), right: Some(10_500) }).await;
}

/// A handle keeps the newest time in each run. These times stay valid after another handle has
/// written, after entries have expired, and when a later generation uses the same table. The test
/// also uses cursors that are not at the end of a page.
#[tokio::test]
async fn two_handles_list_the_same_over_several_generations() {
    const USERS: u64 = 200;
    let folder = tempfile::tempdir().unwrap();
    let stores = [new_store(folder.path(), 20_000), new_store(folder.path(), 20_000)];
    let mut newest: BTreeMap<u64, Option<Timestamp>> = (1..=USERS).map(|n| (n, None)).collect();
    let mut batch: Vec<_> = (1..=USERS).map(|n| open(n, 0, n)).collect();
    let mut writers = stores.iter().cycle();
    for id in 1..=25_000 {
        // Some messages have a clock that is ahead, in conversations with few other messages.
        let (n, when) = if id % 499 == 0 {
            (USERS - id / 499 % 40, id + 3_000)
        } else {
            (1 + id * 11 % (USERS - 60), id)
        };
        batch.push(AppendMessage { at: at(when), ..append(n, 0, id) }.into());
        newest.insert(n, Some(at(when)));
        if id % 500 != 0 {
            continue;
        }
        batch.push(expire(id.saturating_sub(2_000), 10_000));
        writers.next().unwrap().commit(std::mem::take(&mut batch)).await.unwrap();

        let mut list: Vec<_> = newest.iter().map(|(n, last)| (*last, conversation(*n))).collect();
        list.sort_by_key(|position| Reverse(*position));
        let cursor = |when, n| Some(ConversationCursor { last_activity: when, id: conversation(n) });
        for after in [None, cursor(Some(at(id - 40)), 77), cursor(Some(at(u64::MAX)), 0), cursor(None, 90)] {
            let rest = list
                .iter()
                .filter(|position| after.is_none_or(|after| **position < (after.last_activity, after.id)));
            let expected: Vec<_> = rest.take(51).copied().collect();
            for store in &stores {
                let page = store.conversations(active(0, after, 51)).await.unwrap();
                let page: Vec<_> = page
                    .iter()
                    .map(|listed| (listed.state.last_activity, listed.state.conversation.id))
                    .collect();
                assert_eq!(page, expected, "after {after:?}, with {id} messages");
            }
        }
    }
}

#[tokio::test]
async fn a_page_with_a_limit_of_zero_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("dm.db")).unwrap();
    store.commit(vec![open(1, 1, 2)]).await.unwrap();
    store.commit((1..=600).map(|id| append(1, 1, id).into()).collect()).await.unwrap();
    for (limit, listed) in [(0, 0), (1, 1)] {
        assert_eq!(store.conversations(active(2, None, limit)).await.unwrap().len(), listed);
    }
}
