//! Messages during outages of the bus.

use dm_core::MemoryStore;
use dm_test_servers::nats::Server;

use crate::common::{self, Node, config, in_time, message, servers, subscriptions, text, wait_until, who};

#[tokio::test]
async fn messages_arrive_by_polling_during_an_outage_and_by_hints_after_it() {
    let mut server = Server::start();
    let store = MemoryStore::new();
    let (here, there) = (Node::new(&store, &server).await, Node::new(&store, &server).await);
    let chat = here.open(1, 2).await;
    let mut bo = there.connect(&who(2)).await;
    wait_until("the recipient's node is subscribed", || subscriptions(&server) == 1).await;

    server.stop();
    wait_until("both nodes notice the outage", || {
        !here.nats.health().connected && !there.nats.health().connected
    })
    .await;
    for n in 1..=5 {
        here.send(&who(1), chat, &n.to_string()).await;
    }
    let waiting = async {
        for n in 1..=5 {
            assert_eq!(text(&mut bo).await, n.to_string());
        }
    };
    let polling = wait_until("the session waits and polls", || {
        there.poll();
        false
    });
    tokio::select! {
        () = waiting => {}
        () = polling => {}
    }
    let here_dropped = || here.nats.stats().outgoing_dropped;
    wait_until("the hints are dropped and not kept", || here_dropped() >= 10).await;

    server.restart();
    here.connected().await;
    there.connected().await;
    wait_until("the subscription is made again", || subscriptions(&server) == 1).await;
    let before = there.nats.stats().received;
    here.send(&who(1), chat, "live again").await;
    assert_eq!(text(&mut bo).await, "live again");
    there.received(before + 1).await;
}

#[tokio::test]
async fn missed_messages_arrive_without_polling_after_an_outage() {
    let mut server = Server::start();
    let store = MemoryStore::new();
    let (here, there) = (Node::new(&store, &server).await, Node::new(&store, &server).await);
    let chat = here.open(1, 2).await;
    // More users than are probed at once.
    let mut sessions = Vec::new();
    for n in 2..102 {
        sessions.push(there.connect(&who(n)).await);
    }
    wait_until("the node is subscribed for all users", || subscriptions(&server) == 100).await;
    // The sessions wait before the outage begins, and have read the store for entries that were
    // added while they connected.
    there.flushed(0).await;
    let mut last = sessions.pop().unwrap();
    let mut first = sessions.remove(0);
    let first = tokio::spawn(async move { text(&mut first).await });
    let last = tokio::spawn(async move {
        let opened = common::next(&mut last).await;
        assert!(matches!(opened, dm_core::Delivery::Entry(entry) if entry.message().is_none()));
        text(&mut last).await
    });
    server.stop();
    wait_until("both nodes notice the outage", || {
        !here.nats.health().connected && !there.nats.health().connected
    })
    .await;
    here.send(&who(1), chat, "missed").await;
    let other = here.open(1, 101).await;
    here.send(&who(1), other, "missed, too").await;
    wait_until("the hints are dropped", || here.nats.stats().outgoing_dropped == 6).await;
    server.restart();
    assert_eq!(first.await.unwrap(), "missed");
    assert_eq!(last.await.unwrap(), "missed, too");
}

#[tokio::test]
async fn no_call_waits_for_a_bus_that_does_not_answer() {
    let server = Server::start();
    let store = MemoryStore::new();
    let mut config = config();
    config.queue = 8;
    let here = Node::configured(&store, &servers(&server), &config).await;
    let there = Node::new(&store, &server).await;
    let chat = here.open(1, 2).await;
    let mut bo = there.connect(&who(2)).await;
    wait_until("the recipient's node is subscribed", || subscriptions(&server) == 1).await;

    server.pause();
    let payload = "x".repeat(7_000);
    for _ in 0..2_000 {
        here.send(&who(1), chat, &payload).await;
    }
    wait_until("hints are dropped", || here.nats.stats().outgoing_dropped > 0).await;
    let waiting = async {
        for _ in 0..2_000 {
            text(&mut bo).await;
            let position = bo.position();
            bo.handle().acknowledge(dm_core::AckTarget::UpTo(position)).await.unwrap();
        }
    };
    let polling = wait_until("the session waits and polls", || {
        there.poll();
        false
    });
    tokio::select! {
        () = waiting => {}
        () = polling => {}
    }

    server.resume();
    here.connected().await;
    there.connected().await;
    here.send(&who(1), chat, "live again").await;
    // Late hints also arrive now, and have no effect.
    assert_eq!(text(&mut bo).await, "live again");
}

#[tokio::test]
async fn a_node_starts_without_the_bus_and_its_health_shows_it() {
    let mut server = Server::start();
    server.stop();
    let store = MemoryStore::new();
    let (here, there) = (Node::new(&store, &server).await, Node::new(&store, &server).await);
    let health = here.nats.health();
    assert!(!health.connected);
    assert!(health.last_error.is_some_and(|error| error.contains("refused")));
    let chat = here.open(1, 2).await;
    let mut bo = there.connect(&who(2)).await;
    let mut ana = here.connect(&who(1)).await;
    // Delivery on one node needs no bus.
    here.dm.send(&common::on(2, "other"), message(chat, "hello")).await.unwrap();
    assert_eq!(text(&mut ana).await, "hello");

    server.restart();
    here.connected().await;
    there.connected().await;
    wait_until("both are subscribed", || subscriptions(&server) == 2).await;
    assert_eq!(text(&mut bo).await, "hello", "the message of the other device, missed during the outage");
    here.send(&who(1), chat, "live").await;
    assert_eq!(text(&mut bo).await, "live");
    assert_eq!(here.nats.health().last_error, None);
}

#[tokio::test]
async fn a_shutdown_is_bounded_while_the_bus_does_not_answer() {
    let server = Server::start();
    let store = MemoryStore::new();
    let mut still = servers(&server);
    still.ping_interval = std::time::Duration::from_secs(3_600);
    let node = Node::configured(&store, &still, &config()).await;
    let chat = node.open(1, 2).await;
    let _bo = node.connect(&who(2)).await;
    server.pause();
    let payload = "x".repeat(7_000);
    for _ in 0..2_000 {
        node.send(&who(1), chat, &payload).await;
    }
    in_time("the end of the session", node.nats.shutdown(std::time::Duration::from_millis(10))).await;
    server.resume();
}
