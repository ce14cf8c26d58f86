//! Clause 25: pages of hundreds of items.

use dm_core::store::ConversationCursor;

use crate::build::{append, conversation, open, who};
use crate::reads::{above, history_of, inbox_after, seqs, sequences};
use crate::{Harness, World};

/// The page has as many messages as the limit.
pub async fn a_history_page_holds_a_thousand_messages<H: Harness>(world: World<H>) {
    thousand_messages(&world).await;
    let page = world.messages(history_of(1, 2, above(0), 1_000)).await;
    must_be!((sequences(&page.messages), page.has_more), ((1..=1_000).collect(), false));
    let page = world.messages(history_of(1, 2, above(0), 999)).await;
    must_be!((sequences(&page.messages), page.has_more), ((1..=999).collect(), true));
}

/// The store may use any number of pages.
pub async fn an_inbox_of_a_thousand_entries_is_read_to_its_end<H: Harness>(world: World<H>) {
    thousand_messages(&world).await;
    let (mut after, mut all) = (0, Vec::new());
    while after < 1_001 {
        let page = world.page(inbox_after(who(2), after, 700)).await;
        assert!(page.entries.len() <= 700 && page.through.get() > after, "{page:?} after {after}");
        all.extend(seqs(&page.entries));
        after = page.through.get();
    }
    must_be!(all, (1..=1_001).collect::<Vec<_>>());
}

/// In one page, and in pages that do not divide their number.
pub async fn three_hundred_conversations_are_listed<H: Harness>(world: World<H>) {
    world.commit((1..=300).map(|n| open(n, 0, n)).collect()).await;
    world.commit((1..=300).step_by(3).map(|n| append(n, 0, n).into()).collect()).await;
    let all: Vec<_> = world.list(0, None, 1_000).await.iter().map(|state| state.conversation.id).collect();
    let active = (1..=300).rev().filter(|n| n % 3 == 1);
    let silent = (1..=300).rev().filter(|n| n % 3 != 1);
    must_be!(all, active.chain(silent).map(conversation).collect::<Vec<_>>());
    let (mut after, mut joined): (Option<ConversationCursor>, _) = (None, Vec::new());
    while joined.len() < 300 {
        let page = world.list(0, after, 70).await;
        let Some(last) = page.last() else { break };
        after = Some(last.cursor());
        joined.extend(page.iter().map(|state| state.conversation.id));
    }
    must_be!(joined, all);
}

async fn thousand_messages<H: Harness>(world: &World<H>) {
    world.done(open(1, 1, 2)).await;
    world.commit((1..=1_000).map(|id| append(1, 1, id).into()).collect()).await;
}
