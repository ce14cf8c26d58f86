//! Orders to end sessions, over two nodes: executed on all nodes, with an answer that names the
//! nodes that confirmed.

use std::time::Duration;

use dm_core::{DisconnectReason, DisconnectReport, MemoryStore, Session, SessionEnd};
use dm_test_servers::nats::Server;
use futures_util::FutureExt as _;

use crate::common::{
    self, Node, VERSION, bus_client, in_time, on, servers, subscribe_to_all, text, two_nodes, user,
    wait_until, wait_until_verified, who, without_key,
};
use crate::fake_node::{FakeNode, HEARTBEAT};

async fn assert_ends(session: &mut Session, expected: DisconnectReason) {
    match in_time("the end of the session", session.next()).await {
        Err(SessionEnd::Disconnected(reason)) => assert_eq!(reason, expected),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_order_ends_sessions_on_all_nodes_and_all_confirm() {
    let server = Server::start();
    let (here, there) = two_nodes(&server).await;
    wait_until_verified(&[&here, &there]).await;
    let chat = here.open(1, 2).await;
    let (mut phone, mut desk) = (here.connect(&on(2, "phone")).await, there.connect(&on(2, "desk")).await);
    let mut of_another = there.connect(&who(1)).await;

    let ended = here.dm.disconnect(user(2), None, DisconnectReason::Refused).await;
    let both = vec![here.hub.node(), there.hub.node()];
    assert_eq!(ended, DisconnectReport { sessions: 2, confirmed: both, expected: Some(2) });
    assert!(ended.is_complete());
    assert_ends(&mut phone, DisconnectReason::Refused).await;
    assert_ends(&mut desk, DisconnectReason::Refused).await;
    here.send(&who(2), chat, "still here").await;
    assert_eq!(text(&mut of_another).await, "still here");

    // An order without sessions to end is confirmed, too.
    let ended = there.dm.disconnect(user(9), None, DisconnectReason::SignedOut).await;
    assert_eq!((ended.sessions, ended.is_complete()), (0, true));
}

#[tokio::test]
async fn forgetting_a_device_ends_only_its_sessions_on_another_node() {
    let server = Server::start();
    let (here, there) = two_nodes(&server).await;
    wait_until_verified(&[&here, &there]).await;
    let chat = here.open(1, 2).await;
    let (mut phone, mut desk) = (there.connect(&on(2, "phone")).await, there.connect(&on(2, "desk")).await);
    assert!(here.dm.forget_device(&on(2, "desk"), "phone".parse().unwrap()).await.unwrap());
    assert_ends(&mut phone, DisconnectReason::DeviceForgotten).await;
    here.send(&who(1), chat, "for the desk").await;
    assert_eq!(text(&mut desk).await, "for the desk");
}

#[tokio::test]
async fn without_the_bus_only_this_node_confirms_and_the_expected_number_is_unknown() {
    let mut server = Server::start();
    let (here, there) = two_nodes(&server).await;
    wait_until_verified(&[&here, &there]).await;
    let chat = here.open(1, 2).await;
    let (mut phone, mut desk) = (here.connect(&on(2, "phone")).await, there.connect(&on(2, "desk")).await);
    server.stop();
    wait_until("both nodes notice the outage", || {
        !here.nats.health().connected && !there.nats.health().connected
    })
    .await;
    let ended = here.dm.disconnect(user(2), None, DisconnectReason::Refused).await;
    let this = vec![here.hub.node()];
    assert_eq!(ended, DisconnectReport { sessions: 1, confirmed: this, expected: None });
    assert!(!ended.is_complete());
    assert_ends(&mut phone, DisconnectReason::Refused).await;
    // The other node missed the order, and does not get it later. Its host's check would end the
    // session.
    server.restart();
    here.connected().await;
    there.connected().await;
    wait_until_verified(&[&here, &there]).await;
    here.send(&who(1), chat, "missed").await;
    assert_eq!(text(&mut desk).await, "missed");
    let ended = here.dm.disconnect(user(2), None, DisconnectReason::Refused).await;
    assert_eq!((ended.sessions, ended.is_complete()), (1, true));
    assert_ends(&mut desk, DisconnectReason::Refused).await;
}

#[tokio::test]
async fn a_node_that_does_not_confirm_is_missing_in_the_result() {
    let server = Server::start();
    let mut config = without_key();
    config.confirm_timeout = Duration::from_millis(50);
    config.heartbeat = Duration::from_secs(1);
    let here = Node::configured(&MemoryStore::new(), &servers(&server), &config).await;
    // The fake node sends heartbeats, and nothing else.
    let mut silent = FakeNode::new(bus_client(&server).await, *b"a silent", None);
    silent.wait_until_verified_by(&here).await;
    let ended = in_time("the bound", here.dm.disconnect(user(2), None, DisconnectReason::Refused)).await;
    let this = vec![here.hub.node()];
    assert_eq!(ended, DisconnectReport { sessions: 0, confirmed: this, expected: Some(2) });
    assert!(!ended.is_complete());
}

/// A node that knows that it is alone, with a confirmation timeout longer than a test.
async fn node_alone(server: &Server) -> Node {
    let mut config = common::config();
    config.confirm_timeout = Duration::from_secs(3_600);
    config.heartbeat = Duration::from_secs(1);
    let here = Node::configured(&MemoryStore::new(), &servers(server), &config).await;
    wait_until("the node knows that it is alone", || here.nats.health().peers == Some(Vec::new())).await;
    here
}

/// Whether an order is known to have reached all nodes. Asserts that the order waits for no other
/// node.
async fn is_complete_order(here: &Node) -> bool {
    let ended = in_time("an answer", here.dm.disconnect(user(2), None, DisconnectReason::Refused)).await;
    assert_eq!(ended.confirmed, [here.hub.node()]);
    assert!(matches!(ended.expected, None | Some(1)), "{ended:?}");
    ended.is_complete()
}

#[tokio::test]
async fn an_order_does_not_wait_for_an_unverified_node_and_is_not_complete_without_it() {
    let server = Server::start();
    let here = node_alone(&server).await;
    assert!(is_complete_order(&here).await);
    // One clock within the accepted range, and one outside.
    for (id, behind) in [(*b"one mute", Duration::ZERO), (*b"one late", Duration::from_secs(3_600))] {
        let client = bus_client(&server).await;
        let mut bus = subscribe_to_all(&client).await;
        let mut mute = FakeNode::new(client, id, Some([7; 32]));
        mute.clock_lag = behind;
        for nonce in 0..3 {
            mute.send(HEARTBEAT, "dm.nodes", &[]).await;
            mute.wait_until_processed_by(&here, &mut bus, nonce).await;
            assert!(!is_complete_order(&here).await, "the node may have sessions");
        }
        // The fake node sends no more heartbeats.
        in_time("a complete answer", async { while !is_complete_order(&here).await {} }).await;
    }
}

#[tokio::test]
async fn no_order_is_complete_while_a_node_of_another_version_is_alive() {
    let server = Server::start();
    let here = node_alone(&server).await;
    let client = bus_client(&server).await;
    let mut bus = subscribe_to_all(&client).await;
    let other = FakeNode::new(client, *b"an other", Some([7; 32]));
    let frame = [&[VERSION + 1, HEARTBEAT], &other.id().as_bytes()[..], &[0; 16]].concat();
    other.publish("dm.nodes", frame).await;
    other.wait_until_processed_by(&here, &mut bus, 0).await;
    assert!(!is_complete_order(&here).await);
    in_time("a complete answer", async { while !is_complete_order(&here).await {} }).await;
}

#[tokio::test]
async fn an_order_does_not_wait_for_a_node_that_left() {
    let server = Server::start();
    let (here, there) = two_nodes(&server).await;
    wait_until_verified(&[&here, &there]).await;
    there.nats.shutdown(Duration::from_secs(30)).await;
    wait_until("the node is known to be gone", || here.nats.health().peers == Some(Vec::new())).await;
    let ended = here.dm.disconnect(user(2), None, DisconnectReason::Refused).await;
    assert_eq!((ended.confirmed.len(), ended.expected), (1, Some(1)));
}

#[tokio::test]
async fn many_orders_at_once_are_all_confirmed() {
    let server = Server::start();
    let (here, there) = two_nodes(&server).await;
    wait_until_verified(&[&here, &there]).await;
    let order = |n: u64| {
        let dm = here.dm.clone();
        tokio::spawn(async move { dm.disconnect(user(n), None, DisconnectReason::Refused).await })
    };
    let orders: Vec<_> = (0..200).map(order).collect();
    for order in orders {
        assert!(in_time("an answer", order).await.unwrap().is_complete());
    }
    wait_until("no inbox is left", || !server.monitor("/connz?subs=1").contains("inbox")).await;
}

#[tokio::test]
async fn an_order_is_sent_even_while_many_others_wait_for_confirmations() {
    let server = Server::start();
    let mut config = without_key();
    config.confirm_timeout = Duration::from_secs(2);
    let store = MemoryStore::new();
    let here = Node::configured(&store, &servers(&server), &config).await;
    let there = Node::configured(&store, &servers(&server), &without_key()).await;
    wait_until_verified(&[&here, &there]).await;
    // This node confirms no order, so each order lasts until its time limit.
    FakeNode::new(bus_client(&server).await, *b"a silent", None).wait_until_verified_by(&here).await;
    let mut banned = there.connect(&who(2)).await;
    for n in 0..300 {
        let dm = here.dm.clone();
        let mut order = Box::pin(async move {
            dm.disconnect(user(1_000 + n), None, DisconnectReason::Refused).await;
        });
        // The order has begun, so it waits before all later orders.
        assert!((&mut order).now_or_never().is_none());
        tokio::spawn(order);
    }
    // This order waits behind the others, and gets no permit before its time limit.
    let ended = here.dm.disconnect(user(2), None, DisconnectReason::Refused).await;
    assert_eq!((ended.sessions, ended.expected), (0, None), "no confirmation was counted");
    assert_ends(&mut banned, DisconnectReason::Refused).await;
}
