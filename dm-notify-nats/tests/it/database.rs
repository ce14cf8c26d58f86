//! Two nodes on one PostgreSQL database and one bus, under traffic from both: each device gets each
//! message once and in order. No message is found by polling, because the clocks stand still.

use dm_core::{AckTarget, Delivery, InboxSeq, MessageId, Session};
use dm_store_postgres::PostgresStore;
use dm_test_servers::nats::Server;
use dm_test_servers::postgres::Cluster;

use crate::common::{Node, next, on, subscriptions, wait_until, who};

const MESSAGES: usize = 60;
/// The number of conversations of each user: one with each of the other two users.
const CHATS: usize = 2;

/// Receives all messages of a device that sends nothing: those that its user sends and receives.
async fn watch(mut session: Session) -> Vec<MessageId> {
    let (mut seen, mut last) = (Vec::new(), InboxSeq::ZERO);
    while seen.len() < 2 * CHATS * MESSAGES {
        let Delivery::Entry(entry) = next(&mut session).await else { continue };
        assert_eq!(entry.seq, last.next(), "in order, without a gap");
        last = entry.seq;
        seen.extend(entry.message().map(|message| message.id));
        session.handle().acknowledge(AckTarget::UpTo(last)).await.unwrap();
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn with_two_busy_nodes_each_device_gets_each_message_once_and_in_order_without_polling() {
    let (server, database) = (Server::start(), Cluster::shared().empty_database());
    let mut nodes = Vec::new();
    for _ in 0..2 {
        let store = PostgresStore::open(&database.parameters()).await.unwrap();
        nodes.push(std::sync::Arc::new(Node::new(&store, &server).await));
    }
    // A device of each user on each node that only receives.
    let mut watching = Vec::new();
    for n in 0..3 {
        for (node, device) in nodes.iter().zip(["desk", "phone"]) {
            watching.push((n, tokio::spawn(watch(node.connect(&on(n, device)).await))));
        }
    }
    wait_until("both nodes are subscribed for all users", || subscriptions(&server) == 6).await;

    // Each user sends to each other user, over both nodes, and opens the conversation first.
    let mut writing = Vec::new();
    for (from, to) in [(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)] {
        for (part, node) in nodes.iter().cloned().enumerate() {
            writing.push(tokio::spawn(async move {
                let chat = node.open(from, to).await;
                for n in 0..MESSAGES / 2 {
                    node.send(&who(from), chat, &format!("{from} to {to}, {part}-{n}")).await;
                }
                chat
            }));
        }
    }
    let mut chats = Vec::new();
    for task in writing {
        chats.push(task.await.unwrap());
    }
    chats.sort_by_key(|chat| *chat.as_bytes());
    chats.dedup();
    assert_eq!(chats.len(), 3, "one conversation for each pair of users, by whatever node it was opened");

    let mut seen = Vec::new();
    for (n, task) in watching {
        seen.push((n, task.await.unwrap()));
    }
    for pair in seen.chunks(2) {
        assert_eq!(pair[0], pair[1], "two devices of one user get the same messages");
        let mut ids: Vec<_> = pair[0].1.clone();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 2 * CHATS * MESSAGES, "no message twice");
    }
    for node in &nodes {
        assert!(node.nats.stats().received > 0, "messages came by the bus");
    }
}
