//! Several nodes on one database.

use dm_conformance::outcome;
use dm_core::store::{OpenConversation, Outcome, Participants, Principal, Store, StoreErrorKind, Write};
use dm_store_postgres::PostgresStore;
use dm_test_servers::postgres::Cluster;

use crate::common::harness::fresh;
use crate::common::{self, append, conversation, count_messages, open, texts, user};

#[tokio::test(flavor = "multi_thread")]
async fn ten_nodes_that_start_at_once_create_the_schema_once() {
    let database = Cluster::shared().empty_database();
    let nodes: Vec<_> = (0..10)
        .map(|_| {
            let parameters = database.parameters();
            tokio::spawn(async move { PostgresStore::open(&parameters).await })
        })
        .collect();
    let mut stores = Vec::new();
    for node in nodes {
        stores.push(node.await.unwrap().unwrap());
    }
    assert_eq!(database.sql("SELECT version FROM dm.schema_version"), "2");
    stores[0].commit(vec![open(1, 1, 2)]).await.unwrap();
    assert!(stores[9].conversation(conversation(1)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_as_it_is() {
    let database = fresh();
    let tables = "SELECT string_agg(table_name || column_name, ' ' ORDER BY table_name, column_name)
                  FROM information_schema.columns WHERE table_schema = 'dm'";
    database.sql("UPDATE dm.schema_version SET version = 99");
    let before = database.sql(tables);
    let refused = PostgresStore::open(&database.parameters()).await.unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::NewerSchema);
    assert_eq!(database.sql(tables), before);
    assert_eq!(database.sql("SELECT version FROM dm.schema_version"), "99");
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_of_three_nodes_in_opposite_orders_cause_no_deadlock() {
    const USERS: u64 = 6;
    const ROUNDS: u64 = 20;
    let database = fresh();
    let mut stores = Vec::new();
    for _ in 0..3 {
        stores.push(PostgresStore::open(&database.parameters()).await.unwrap());
    }
    // One conversation for each pair of users.
    let pairs: Vec<_> = (0..USERS).flat_map(|one| (one + 1..USERS).map(move |other| (one, other))).collect();
    let opens = pairs.iter().zip(1..).map(|((one, other), n)| open(n, *one, *other)).collect();
    stores[0].commit(opens).await.unwrap();

    let tasks: Vec<_> = stores
        .iter()
        .cloned()
        .zip(0_u64..)
        .flat_map(|(store, node)| (0..2_u64).map(move |lane| (store.clone(), node * 2 + lane)))
        .map(|(store, task)| {
            let pairs = pairs.clone();
            tokio::spawn(async move {
                for round in 0..ROUNDS {
                    let id = |n: u64| 1_000 * (task * ROUNDS + round) + n;
                    let mut batch: Vec<Write> = pairs
                        .iter()
                        .zip(1..)
                        .filter(|(_, n)| is_in(task, round, *n))
                        .map(|((one, other), n)| {
                            append(n, if round % 2 == 0 { *one } else { *other }, id(n)).into()
                        })
                        .collect();
                    if task % 2 == 1 {
                        batch.reverse();
                    }
                    let outcomes = store.commit(batch).await.unwrap();
                    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Done(_))));
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let sent_in = |n| {
        (0..6)
            .flat_map(|task| (0..ROUNDS).map(move |round| (task, round)))
            .filter(|(t, r)| is_in(*t, *r, n))
            .count()
    };
    for ((one, _), n) in pairs.iter().zip(1..) {
        assert_eq!(texts(&stores[2], *one, n).await.len(), sent_in(n));
    }
    for user in 0..USERS {
        let theirs = pairs.iter().zip(1..).filter(|((one, other), _)| [*one, *other].contains(&user));
        assert_eq!(count_messages(&stores[1], user).await, theirs.map(|(_, n)| sent_in(n)).sum::<usize>());
    }
    let deadlocks = format!("SELECT deadlocks FROM pg_stat_database WHERE datname = '{}'", database.name());
    assert_eq!(database.sql(&deadlocks), "0");
}

/// Whether the batch of a task and round has a message for conversation `n`. The batch has messages
/// for two of five consecutive conversations. The batches of task 3 have messages for all
/// conversations or for none.
const fn is_in(task: u64, round: u64, n: u64) -> bool {
    (n * (task + 2) + round) % 5 < 2
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_that_open_a_conversation_at_once_create_one() {
    let database = fresh();
    let one = PostgresStore::open(&database.parameters()).await.unwrap();
    let other = PostgresStore::open(&database.parameters()).await.unwrap();
    for n in 0..20_u64 {
        let (a, b) = (user(2 * n), user(2 * n + 1));
        let open = |id: u64, opener| {
            let participants = Participants::new(a, b).unwrap();
            let (opener, at) = (Principal::from(opener), common::harness::time(1));
            vec![OpenConversation { id: conversation(id), participants, opener, at }.into()]
        };
        let (mine, theirs) = tokio::join!(one.commit(open(1_000 + n, a)), other.commit(open(2_000 + n, b)));
        let (mine, theirs) = (opened(mine.unwrap()), opened(theirs.unwrap()));
        assert_eq!(mine.0, theirs.0);
        assert!(mine.1 != theirs.1, "exactly one call opened it");
        assert_eq!(count_messages(&one, 2 * n).await, 0);
        assert_eq!(common::inbox(&other, a.into()).await.entries.len(), 1);
    }
}

/// The id of the conversation, and whether this call opened it.
fn opened(mut outcomes: Vec<Outcome>) -> (dm_core::ConversationId, bool) {
    let (conversation, is_new) = outcome::opened(&outcome::done(outcomes.remove(0)));
    (conversation.id, is_new)
}
