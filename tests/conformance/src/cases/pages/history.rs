//! Clause 25: pages of a conversation.

use dm_core::store::{AppendMessage, HistoryQuery, HistoryRange, Message};

use crate::build::{append, ciphertext, open};
use crate::reads::{above, below, history_of, sequences};
use crate::{Harness, World};

/// A page upwards does not include the message with the given number.
pub async fn a_history_page_starts_above_its_number<H: Harness>(world: World<H>) {
    nine_messages(&world).await;
    for number in 0..=9 {
        let found = page(&world, above(number), 100).await;
        must_be!(found, ((number + 1..=9).collect(), false));
    }
}

/// A page downwards does not include it either, and starts with the newest message.
pub async fn a_history_page_starts_below_its_number<H: Harness>(world: World<H>) {
    nine_messages(&world).await;
    for number in 1..=10 {
        let found = page(&world, below(number), 100).await;
        must_be!(found, ((1..number).rev().collect(), false));
    }
}

/// A page from the newest message downwards.
pub async fn the_newest_page_ends_with_the_oldest<H: Harness>(world: World<H>) {
    nine_messages(&world).await;
    must_be!(page(&world, HistoryRange::Newest, 4).await, (vec![9, 8, 7, 6], true));
    must_be!(page(&world, HistoryRange::Newest, 9).await, ((1..=9).rev().collect(), false));
}

/// In both directions every message is shown once, with limits that divide their number and limits
/// that do not.
pub async fn history_pages_join_to_the_whole<H: Harness>(world: World<H>) {
    nine_messages(&world).await;
    for limit in [1, 2, 3, 4, 8, 9, 10] {
        for (upwards, first) in [(true, above(0)), (false, HistoryRange::Newest)] {
            let (mut range, mut all) = (first, Vec::new());
            loop {
                let (found, has_more) = page(&world, range, limit).await;
                assert!(found.len() <= limit && !found.is_empty(), "{found:?} of {limit}");
                all.extend(found);
                must_be!(has_more, all.len() < 9, "{all:?}");
                if !has_more {
                    break;
                }
                let last = all[all.len() - 1];
                range = if upwards { above(last) } else { below(last) };
            }
            let mut expected: Vec<_> = (1..=9).collect();
            if !upwards {
                expected.reverse();
            }
            must_be!(all, expected, "in pages of {limit}");
        }
    }
}

/// Beyond the oldest and the newest message, and at the smallest and largest number.
pub async fn beyond_either_end_a_history_page_is_empty<H: Harness>(world: World<H>) {
    nine_messages(&world).await;
    for range in [above(9), above(10), above(u64::MAX), below(1), below(0)] {
        must_be!(page(&world, range, 5).await, (Vec::new(), false), "{range:?}");
    }
    must_be!(page(&world, below(u64::MAX), 2).await, (vec![9, 8], true));
}

/// The conversation exists and has no messages.
pub async fn a_conversation_without_messages_has_an_empty_page<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    for range in [above(0), HistoryRange::Newest, below(5), below(u64::MAX)] {
        must_be!(page(&world, range, 5).await, (Vec::new(), false), "{range:?}");
    }
}

/// The costs of the messages are added up, in both directions.
pub async fn a_history_page_keeps_its_bound_in_bytes<H: Harness>(world: World<H>) {
    nine_messages(&world).await;
    let cost = world.messages(history_of(1, 2, above(0), 1)).await.messages[0].cost();
    for range in [above(0), below(9), HistoryRange::Newest] {
        for max_bytes in [cost * 3, cost * 4 - 1] {
            let found = world.messages(HistoryQuery { max_bytes, ..history_of(1, 2, range, 100) }).await;
            let bytes: usize = found.messages.iter().map(|message| Message::cost(message)).sum();
            assert!(bytes <= max_bytes && !found.messages.is_empty(), "{bytes} bytes of {max_bytes}");
            assert!(found.has_more);
        }
    }
}

/// Otherwise a reader could not get past that message.
pub async fn a_message_larger_than_the_bound_is_a_page<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    for id in 1..=3 {
        world.append(AppendMessage { ciphertext: ciphertext(vec![1; 64 * 1024]), ..append(1, 1, id) }).await;
    }
    for (range, expected) in [(above(1), 2), (below(3), 2), (HistoryRange::Newest, 3)] {
        for max_bytes in [0, 64 * 1024] {
            let found = world.messages(HistoryQuery { max_bytes, ..history_of(1, 2, range, 100) }).await;
            must_be!((sequences(&found.messages), found.has_more), (vec![expected], true));
        }
    }
}

/// New messages do not change the pages of older ones.
pub async fn history_pages_are_stable_under_inserts<H: Harness>(world: World<H>) {
    nine_messages(&world).await;
    let (mut range, mut all) = (HistoryRange::Newest, Vec::new());
    for id in 100..103 {
        let (found, _) = page(&world, range, 3).await;
        all.extend(found);
        range = below(all[all.len() - 1]);
        world.append(append(1, 1, id)).await;
    }
    must_be!(all, (1..=9).rev().collect::<Vec<_>>());
}

async fn page<H: Harness>(world: &World<H>, range: HistoryRange, limit: usize) -> (Vec<u64>, bool) {
    let page = world.messages(history_of(1, 2, range, limit)).await;
    (sequences(&page.messages), page.has_more)
}

/// Nine messages of equal cost in conversation 1.
async fn nine_messages<H: Harness>(world: &World<H>) {
    world.done(open(1, 1, 2)).await;
    let ids = 1..=9;
    world
        .commit(
            ids.map(|id| AppendMessage { ciphertext: ciphertext("x"), ..append(1, 1, id) }.into()).collect(),
        )
        .await;
}
