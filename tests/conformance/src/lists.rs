//! A check of the list of a user with many conversations. Stores with separate tables for recent
//! rows look for the newest message of a conversation in several tables. The tests of such a store
//! choose how many rows are in which table, and call this check.

use std::cmp::Reverse;

use dm_core::store::{AppendMessage, ConversationId, Store, Timestamp};

use crate::build::{append, at, conversation, open};
use crate::reads::active;

/// The number of writes of one commit.
const BATCH: usize = 250;

/// The messages in the last conversation, by their numbers: one whose clock is far ahead, and one
/// whose clock is right.
#[derive(Clone, Copy, Debug, Default)]
pub struct Last {
    /// The message whose clock is ahead.
    pub ahead: Option<u64>,
    /// The message whose clock is right.
    pub right: Option<u64>,
}

/// Opens conversations of user 0 with so many users, writes messages in all but the last hundred,
/// some of them with a clock that is behind, and the messages of `last` in the last one. Then
/// compares the list, in pages of several sizes, with those writes.
///
/// # Panics
/// Panics if the list differs, if the store fails, or with fewer than 101 users.
pub async fn check(store: &impl Store, people: u64, messages: u64, last: Last) {
    let mut newest = vec![None; usize::try_from(people).expect("a number of people")];
    let mut batch: Vec<_> = (1..=people).map(|n| open(n, 0, n)).collect();
    for id in 1..=messages {
        // The numbers are squares: a few conversations get many messages, most get few.
        let (n, when) = match Some(id) {
            id if id == last.ahead => (people, u64::MAX - 1),
            right if right == last.right => (people, id),
            _ if id % 97 == 0 => (1 + (id * id) % (people - 100), id / 2),
            _ => (1 + (id * id) % (people - 100), id),
        };
        batch.push(AppendMessage { at: at(when), ..append(n, 0, id) }.into());
        *newest.get_mut(usize::try_from(n - 1).expect("one of them")).expect("one of them") = Some(at(when));
        if batch.len() >= BATCH {
            store.commit(std::mem::take(&mut batch)).await.expect("the batch is committed");
        }
    }
    store.commit(batch).await.expect("the batch is committed");

    let mut expected: Vec<Listed> = (1..=people).map(conversation).zip(newest).collect();
    expected.sort_by_key(|(id, at)| Reverse((*at, *id)));
    for limit in [7, 50, 1_000] {
        let listed = pages(store, limit, expected.len()).await;
        let wrong = listed.iter().zip(&expected).position(|(listed, expected)| listed != expected);
        assert!(
            listed == expected,
            "in pages of {limit}: {} of {} conversations, the first wrong one at {wrong:?}",
            listed.len(),
            expected.len()
        );
    }
}

type Listed = (ConversationId, Option<Timestamp>);

/// The whole list of user 0, page after page.
async fn pages(store: &impl Store, limit: usize, people: usize) -> Vec<Listed> {
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = store.conversations(active(0, after, limit)).await.expect("a page");
        let Some(last) = page.last() else { return listed };
        after = Some(last.state.cursor());
        listed.extend(page.iter().map(|listed| (listed.state.conversation.id, listed.state.last_activity)));
        assert!(listed.len() <= people, "in pages of {limit}: more than the {people} that exist");
    }
}
