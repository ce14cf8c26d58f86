//! Clause 25: pages of a user's conversations.

use dm_core::store::{ConversationCursor, ConversationState};

use crate::build::{append, at, conversation, open};
use crate::{Harness, World};

/// The latest activity comes first. Conversations without messages come last, the newest id first.
pub async fn conversations_are_listed_by_activity<H: Harness>(world: World<H>) {
    active_at(&world, [Some(20), None, Some(40), None, Some(30), Some(u64::MAX)]).await;
    must_be!(numbers(&world.list(0, None, 100).await), [6, 3, 5, 1, 4, 2]);
}

/// Of equal activity, the newest id comes first.
pub async fn conversations_of_equal_activity_are_listed_by_id<H: Harness>(world: World<H>) {
    active_at(&world, [Some(7), Some(7), Some(9), Some(7)]).await;
    must_be!(numbers(&world.list(0, None, 100).await), [3, 4, 2, 1]);
}

/// A new message makes its conversation the first one.
pub async fn a_message_moves_its_conversation_to_the_front<H: Harness>(world: World<H>) {
    active_at(&world, [Some(10), Some(20), None]).await;
    world.append(append(1, 0, 30)).await;
    must_be!(numbers(&world.list(0, None, 100).await), [1, 2, 3]);
    world.append(append(3, 3, 40)).await;
    must_be!(numbers(&world.list(0, None, 100).await), [3, 1, 2]);
}

/// Successive pages show every conversation once, across equal activities and those without
/// messages.
pub async fn list_pages_join_to_the_whole<H: Harness>(world: World<H>) {
    active_at(&world, [None, Some(5), Some(5), None, Some(u64::MAX), Some(5), None]).await;
    for limit in [1, 2, 3, 6, 7, 8] {
        let (mut after, mut all) = (None, Vec::new());
        loop {
            let page = world.list(0, after, limit).await;
            assert!(page.len() <= limit, "{} of {limit}", page.len());
            let Some(last) = page.last() else { break };
            assert!(all.len() < 7, "more than exist: {all:?}");
            after = Some(last.cursor());
            all.extend(numbers(&page));
        }
        must_be!(all, [5, 6, 3, 2, 7, 4, 1], "in pages of {limit}");
    }
}

/// The page does not include the conversation at the cursor.
pub async fn a_list_page_starts_after_its_cursor<H: Harness>(world: World<H>) {
    active_at(&world, [Some(1), Some(2), Some(3)]).await;
    let all = world.list(0, None, 100).await;
    for (n, state) in all.iter().enumerate() {
        must_be!(world.list(0, Some(state.cursor()), 100).await, all[n + 1..]);
    }
}

/// A cursor need not be that of an existing conversation.
pub async fn a_list_cursor_need_not_name_a_conversation<H: Harness>(world: World<H>) {
    active_at(&world, [Some(10), Some(20), None]).await;
    let after = async |last_activity: Option<u64>, id: u64| {
        let (last_activity, id) = (last_activity.map(at), conversation(id));
        numbers(&world.list(0, Some(ConversationCursor { last_activity, id }), 100).await)
    };
    must_be!(after(Some(15), 99).await, [1, 3]);
    must_be!(after(Some(u64::MAX), 99).await, [2, 1, 3]);
    must_be!(after(Some(0), 0).await, [3]);
    must_be!(after(None, 99).await, [3]);
    must_be!(after(None, 0).await, Vec::<u64>::new());
}

/// Conversations that did not move between two pages are listed once.
pub async fn list_pages_are_stable_when_others_move<H: Harness>(world: World<H>) {
    active_at(&world, [Some(1), Some(2), Some(3), Some(4), None]).await;
    let first = world.list(0, None, 2).await;
    must_be!(numbers(&first), [4, 3]);
    // A listed conversation and one that was not listed yet move to the front; a new one is opened
    // at the end.
    world.commit(vec![append(3, 0, 50).into(), append(1, 0, 60).into(), open(6, 0, 6)]).await;
    let rest = world.list(0, Some(first[1].cursor()), 100).await;
    must_be!(numbers(&rest), [2, 6, 5]);
}

/// The list has the conversations of the user who asks, in their current state.
pub async fn the_list_holds_the_users_conversations_only<H: Harness>(world: World<H>) {
    active_at(&world, [Some(1), None]).await;
    world.done(open(3, 1, 2)).await;
    must_be!(numbers(&world.list(1, None, 100).await), [1, 3]);
    must_be!(numbers(&world.list(0, None, 100).await), [1, 2]);
    assert!(world.list(9, None, 100).await.is_empty());
    must_be!(world.list(1, None, 1).await[0], world.state(1).await.unwrap());
}

/// Conversations 1, 2, 3 … of user 0 with users 1, 2, 3 …, with a message at each time.
async fn active_at<H: Harness, const N: usize>(world: &World<H>, times: [Option<u64>; N]) {
    for (n, time) in (1..).zip(times) {
        world.done(open(n, n, 0)).await;
        if let Some(time) = time {
            world.append(dm_core::store::AppendMessage { at: at(time), ..append(n, 0, n) }).await;
        }
    }
}

/// The numbers with which the conversations were opened.
fn numbers(list: &[ConversationState]) -> Vec<u64> {
    let number = |state: &ConversationState| (1..20).find(|n| conversation(*n) == state.conversation.id);
    list.iter().filter_map(number).collect()
}
