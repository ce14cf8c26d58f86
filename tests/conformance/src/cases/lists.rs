//! Clause 28, lists: the order that the query names, and records with each conversation.

use dm_core::store::{
    ConversationCursor, ConversationId, ConversationOrder, ConversationsQuery, Kind, ListedConversation,
    Name, Owner, Record, RecordKey, Write,
};

use crate::build::{append, append_at, conversation, kind, open, synced, user};
use crate::records::{all, kind_of, only, opened_order, put, put_due, size, stored};
use crate::{Harness, World};

/// The key of a user's record about a conversation.
fn record_of(n: u64, kind: Kind, about: u64) -> RecordKey {
    RecordKey::new(Owner::User(user(n)), kind, Name::from(conversation(about)))
}

/// The list of user `n` by activity.
fn by_activity(
    n: u64,
    after: Option<ConversationCursor>,
    kinds: Vec<Kind>,
    limit: usize,
) -> ConversationsQuery {
    let order = ConversationOrder::Active { after };
    ConversationsQuery { order, ..opened_order(n, None, kinds, limit) }
}

fn ids(listed: &[ListedConversation]) -> Vec<ConversationId> {
    listed.iter().map(|listed| listed.state.conversation.id).collect()
}

/// The smallest id first, whoever opened it, and in whatever order.
pub async fn conversations_are_listed_in_opened_order<H: Harness>(world: World<H>) {
    world.commit(vec![open(5, 1, 2), open(2, 3, 1), open(9, 1, 4), open(4, 2, 3), open(1, 5, 1)]).await;
    must_be!(
        ids(&world.listed(opened_order(1, None, Vec::new(), 100)).await),
        [1, 2, 5, 9].map(conversation)
    );
    must_be!(ids(&world.listed(opened_order(2, None, Vec::new(), 100)).await), [4, 5].map(conversation));
    must_be!(world.listed(opened_order(6, None, Vec::new(), 100)).await, []);
}

/// Messages move a conversation in the other order only.
pub async fn messages_do_not_change_the_opened_order<H: Harness>(world: World<H>) {
    world.commit((1..=4).map(|n| open(n, 0, n)).collect()).await;
    for (id, n) in (1..).zip([2, 4, 1, 4, 3]) {
        world.done(append_at(n, n, id, 100 + id)).await;
        let listed = world.listed(opened_order(0, None, Vec::new(), 100)).await;
        must_be!(ids(&listed), [1, 2, 3, 4].map(conversation));
        let state = world.state(n).await.unwrap();
        must_be!(listed[size(n) - 1].state, state);
        must_be!(world.listed(by_activity(0, None, Vec::new(), 100)).await[0].state, state);
    }
}

/// Exclusive, also after an id without a conversation and after one of others.
pub async fn the_opened_order_starts_after_a_conversation<H: Harness>(world: World<H>) {
    world.commit([2, 4, 6, 8].map(|n| open(n, 0, n)).to_vec()).await;
    world.done(open(5, 2, 4)).await;
    for after in 0..10 {
        let listed = world.listed(opened_order(0, Some(after), Vec::new(), 100)).await;
        let expected: Vec<_> = [2, 4, 6, 8].into_iter().filter(|n| *n > after).map(conversation).collect();
        must_be!(ids(&listed), expected, "after {after}");
    }
}

/// Pages of several sizes, while messages move the conversations.
pub async fn pages_in_opened_order_have_each_conversation_once<H: Harness>(world: World<H>) {
    world.commit((1..=50).rev().map(|n| open(n, 0, n)).collect()).await;
    for limit in [1, 7, 49, 50, 51] {
        let (mut listed, mut after) = (Vec::new(), None);
        loop {
            let page = world.listed(opened_order(0, after, Vec::new(), limit)).await;
            assert!(page.len() <= limit, "{} conversations in a page of {limit}", page.len());
            let Some(last) = page.last() else { break };
            after = (1..=50).find(|n| conversation(*n) == last.state.conversation.id);
            listed.extend(ids(&page));
            assert!(listed.len() <= 50, "the pages of {limit} do not end");
            let n = 1 + listed.len() as u64 * 7 % 50;
            let id = limit as u64 * 100 + listed.len() as u64;
            world.done(append_at(n, n, id, id)).await;
        }
        must_be!(listed, (1..=50).map(conversation).collect::<Vec<_>>(), "pages of {limit}");
    }
}

/// The caller's records, in the order of the kinds of the query; those that are not there are left
/// out.
pub async fn a_list_has_the_callers_records_of_the_named_kinds<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), open(2, 1, 3), append(2, 1, 1).into()]).await;
    let kinds = [kind_of(1, false), kind_of(2, false), kind_of(1, true), kind_of(3, false)];
    let put_of = |n, kind, about, value: &str| put(record_of(n, kind, about), value, 7);
    world
        .done(all([
            put_of(1, kinds[0], 1, "one"),
            put_of(1, kinds[1], 1, "two"),
            put_of(1, kinds[2], 1, "three"),
            put_of(1, kinds[3], 2, "four"),
            put_of(2, kinds[0], 1, "of the peer"),
            put_of(2, kinds[3], 1, "of the peer"),
            put_of(3, kinds[0], 2, "of the peer"),
            put(
                RecordKey::new(Owner::Conversation(conversation(2)), kinds[0], Name::from(conversation(2))),
                "of the conversation",
                7,
            ),
            put(RecordKey::new(Owner::User(user(1)), kinds[0], Name::EMPTY), "another name", 7),
            put(RecordKey::new(Owner::Store, kinds[1], Name::from(conversation(2))), "of the store", 7),
        ]))
        .await;
    let one = [(kinds[0], "one", 0), (kinds[1], "two", 0), (kinds[2], "three", 1)];
    let record = |(kind, value, revision)| stored(record_of(1, kind, 1), value, 7, revision);
    let four = || vec![stored(record_of(1, kinds[3], 2), "four", 7, 0)];
    for (asked, of_one, of_two) in [
        (kinds.to_vec(), one.map(record).to_vec(), four()),
        (vec![kinds[2], kinds[0]], vec![record(one[2]), record(one[0])], vec![]),
        (vec![kinds[3]], vec![], four()),
        (vec![kind_of(9, false), kinds[1]], vec![record(one[1])], vec![]),
        (vec![], vec![], vec![]),
    ] {
        let opened = world.listed(opened_order(1, None, asked.clone(), 100)).await;
        let records: Vec<Vec<Record>> = opened.iter().map(|listed| listed.records.clone()).collect();
        must_be!(records, [of_one, of_two], "{asked:?}");
        let active = world.listed(by_activity(1, None, asked, 100)).await;
        must_be!(active, opened.into_iter().rev().collect::<Vec<_>>());
    }
}

/// As many kinds as a query may name, and values with all their fields.
pub async fn a_list_has_records_of_eight_kinds<H: Harness>(world: World<H>) {
    let kinds: Vec<_> = (0..8).map(|n| kind_of(n, n % 2 == 0)).collect();
    world.commit(vec![open(1, 1, 2), open(2, 1, 3)]).await;
    for (n, kind) in (1..).zip(&kinds) {
        let put = |about| put_due(record_of(1, *kind, about), vec![n; 100], n.into(), n.into());
        world.done(all([put(1), put(2)])).await;
    }
    for query in [opened_order(1, None, kinds.clone(), 10), by_activity(1, None, kinds.clone(), 10)] {
        for listed in world.listed(query).await {
            let about = if listed.state.conversation.id == conversation(1) { 1 } else { 2 };
            let keys = kinds.iter().map(|kind| record_of(1, *kind, about)).collect();
            let expected: Vec<_> = world.records(keys).await.into_iter().flatten().collect();
            must_be!((expected.len(), listed.records), (8, expected));
        }
    }
}

/// Changed and removed records.
pub async fn a_list_has_the_records_as_they_are_now<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    let key = || record_of(1, kind(), 1);
    for (n, change) in (1..).zip([
        put(key(), "one", 1),
        put(key(), "two", 2),
        dm_core::store::Change::Delete(key()),
        put(key(), "three", 4),
    ]) {
        world.done(only(change)).await;
        let expected: Vec<_> = world.record(key()).await.into_iter().collect();
        must_be!(expected.len(), usize::from(n != 3));
        for query in [opened_order(1, None, vec![kind()], 10), by_activity(1, None, vec![kind()], 10)] {
            must_be!(world.listed(query).await[0].records, expected);
        }
    }
}

/// Each page has the records of its own conversations.
pub async fn pages_of_lists_have_their_own_records<H: Harness>(world: World<H>) {
    world.commit((1..=20).map(|n| open(n, 0, n)).collect()).await;
    world.commit((1..=20).map(|n| append_at(n, n, n, 40 - n)).collect()).await;
    let with_record = |n: u64| !n.is_multiple_of(3);
    world
        .commit(
            (1..=20)
                .filter(|n| with_record(*n))
                .map(|n| only(put(record_of(0, synced(), n), n.to_string(), n)))
                .collect(),
        )
        .await;
    let mut cursor = None;
    for page in 0..4 {
        let opened = world.listed(opened_order(0, Some(page * 5), vec![synced()], 5)).await;
        let active = world.listed(by_activity(0, cursor, vec![synced()], 5)).await;
        cursor = active.last().map(|listed| listed.state.cursor());
        // The messages' times fall with the ids, so both orders are the same.
        must_be!(active, opened);
        for (n, listed) in (page * 5 + 1..).zip(opened) {
            let values: Vec<_> = listed.records.iter().map(|record| record.value.to_vec()).collect();
            let expected = with_record(n).then(|| n.to_string().into_bytes());
            must_be!(
                (listed.state.conversation.id, values),
                (conversation(n), expected.into_iter().collect())
            );
        }
    }
}

/// Each write appends a message and puts its number into a record: a list shows both or none.
pub async fn a_list_and_its_records_are_from_one_state<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), open(2, 1, 3)]).await;
    let write = |n, id: u64| {
        Write::from(append(n, 1, n * 1_000 + id)).change(put(record_of(1, kind(), n), id.to_be_bytes(), id))
    };
    let batches = |n| (1..=60).map(|id| vec![write(n, id)]).collect();
    world
        .during([batches(1), batches(2)], async || {
            for query in [opened_order(1, None, vec![kind()], 10), by_activity(1, None, vec![kind()], 10)] {
                for ListedConversation { state, records } in world.listed(query).await {
                    let said = records.first().map_or(0, |record| {
                        u64::from_be_bytes(record.value.as_ref().try_into().expect("eight bytes"))
                    });
                    must_be!(said, state.head.get(), "the record of conversation {}", state.conversation.id);
                }
            }
        })
        .await;
}

/// Three hundred conversations, with records, in pages.
pub async fn three_hundred_conversations_are_listed_in_opened_order<H: Harness>(world: World<H>) {
    world.commit((1..=300).rev().map(|n| open(n, 0, n)).collect()).await;
    world.commit((1..=300).map(|n| only(put(record_of(0, kind(), n), n.to_string(), n))).collect()).await;
    let listed = world.listed(opened_order(0, None, vec![kind()], 1_000)).await;
    must_be!(ids(&listed), (1..=300).map(conversation).collect::<Vec<_>>());
    for (n, listed) in (1..).zip(listed) {
        must_be!(listed.records, [stored(record_of(0, kind(), n), n.to_string(), n, 0)]);
    }
}

/// Both orders, with records, after the last handle was dropped.
pub async fn lists_are_the_same_after_reopening<H: Harness>(mut world: World<H>) {
    world.commit(vec![open(3, 1, 2), open(1, 1, 3), open(2, 1, 4), append(1, 1, 1).into()]).await;
    world.done(all([put(record_of(1, kind(), 1), "v", 1), put(record_of(1, synced(), 3), "v", 1)])).await;
    let queries =
        [opened_order(1, None, vec![kind(), synced()], 10), by_activity(1, None, vec![kind(), synced()], 10)];
    let mut before = Vec::new();
    for query in &queries {
        before.push(world.listed(query.clone()).await);
    }
    must_be!(ids(&before[0]), [1, 2, 3].map(conversation));
    must_be!(before[0].iter().map(|listed| listed.records.len()).collect::<Vec<_>>(), [1, 0, 1]);
    world.reopen().await;
    for (query, before) in queries.into_iter().zip(before) {
        must_be!(world.listed(query).await, before);
    }
}
