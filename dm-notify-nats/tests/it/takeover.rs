//! A device that connects to another node: the newer session stays, exactly one of two stays, and
//! no message is lost.

use std::time::Duration;

use dm_core::notify::{EndSessions, Notifier as _};
use dm_core::{Delivery, DisconnectReason, MemoryStore, Session, SessionEnd};
use dm_notify_nats::NatsNotifier;
use dm_test_servers::nats::Server;
use futures_util::StreamExt as _;

use crate::common::{
    self, Node, VERSION, bus_client, in_time, next, on, servers, subscribe_to_all, subscriptions, text,
    two_nodes, user, wait_until, who, without_key,
};
use crate::fake_node::CLAIMS;

async fn assert_replaced(session: &mut Session) {
    let end = in_time("the end of the session", session.next()).await;
    assert!(matches!(end, Err(SessionEnd::Replaced)), "{end:?}");
}

/// Waits for the next claim. The node that sent it is then subscribed to the user's subject.
async fn next_claim(bus: &mut async_nats::Subscriber) {
    while in_time("a claim", bus.next()).await.unwrap().payload.get(1) != Some(&CLAIMS) {}
}

/// Waits for the next claim of one node.
async fn next_claim_of(bus: &mut async_nats::Subscriber, node: &Node) {
    let start = [&[VERSION, CLAIMS], &node.hub.node().as_bytes()[..]].concat();
    while !in_time("a claim", bus.next()).await.unwrap().payload.starts_with(&start) {}
}

/// The number of device sessions of user 2 that have not ended.
fn live_sessions(nodes: [&Node; 2]) -> usize {
    nodes.iter().map(|node| node.hub.claims(user(2)).len()).sum()
}

#[tokio::test]
async fn a_newer_session_on_another_node_ends_the_older_and_gets_unacknowledged_entries() {
    let server = Server::start();
    let (here, there) = two_nodes(&server).await;
    let chat = here.open(1, 2).await;
    here.send(&who(1), chat, "before").await;
    let client = bus_client(&server).await;
    let mut bus = subscribe_to_all(&client).await;
    let mut older = here.connect(&who(2)).await;
    next_claim(&mut bus).await;
    let mut desk = here.connect(&on(2, "desk")).await;
    there.clock.advance(Duration::from_secs(1));
    let mut newer = there.dm.connect(&who(2)).await.unwrap();
    assert_replaced(&mut older).await;
    here.send(&who(1), chat, "after").await;
    assert!(matches!(next(&mut newer).await, Delivery::Entry(entry) if entry.message().is_none()));
    assert_eq!(text(&mut newer).await, "before");
    loop {
        match next(&mut newer).await {
            Delivery::CaughtUp { .. } => {}
            Delivery::Entry(entry) => break assert_eq!(common::payload(entry.message().unwrap()), "after"),
            gap @ Delivery::Gap(_) => panic!("{gap:?}"),
        }
    }
    assert_eq!(text(&mut desk).await, "after", "the session of another device stays");
}

#[tokio::test]
async fn the_newer_session_stays_even_if_the_clock_of_its_node_is_behind() {
    for config in [common::config(), without_key()] {
        let server = Server::start();
        let store = MemoryStore::new();
        let here = Node::configured(&store, &servers(&server), &config).await;
        let there = Node::configured(&store, &servers(&server), &config).await;
        here.clock.advance(Duration::from_secs(3_600));
        let client = bus_client(&server).await;
        let mut bus = subscribe_to_all(&client).await;
        let mut older = here.connect(&who(2)).await;
        next_claim(&mut bus).await;
        let mut newer = there.connect(&who(2)).await;
        assert_replaced(&mut older).await;
        let chat = here.open(1, 2).await;
        assert!(matches!(next(&mut newer).await, Delivery::Entry(entry) if entry.message().is_none()));
        there.send(&who(1), chat, "to the newer").await;
        assert_eq!(text(&mut newer).await, "to the newer");
        assert_eq!(there.hub.claims(user(2)).len(), 1);
    }
}

#[tokio::test]
async fn exactly_one_of_two_sessions_that_connect_at_once_stays() {
    let server = Server::start();
    let (here, there) = two_nodes(&server).await;
    for round in 0..30 {
        if round == 15 {
            there.clock.advance(Duration::from_secs(1));
        }
        let device = who(2);
        let both = tokio::join!(here.dm.connect(&device), there.dm.connect(&device));
        let (one, other) = (both.0.unwrap(), both.1.unwrap());
        wait_until("one session is ended", || live_sessions([&here, &there]) < 2).await;
        // Each node has received all frames of the other.
        for _ in 0..3 {
            here.flushed(0).await;
            there.flushed(0).await;
        }
        assert_eq!(live_sessions([&here, &there]), 1, "round {round}");
        drop((one, other));
        wait_until("both sessions are gone", || subscriptions(&server) == 0).await;
    }
}

#[tokio::test]
async fn a_device_that_alternates_between_nodes_loses_no_message_and_keeps_one_session() {
    let server = Server::start();
    let (here, there) = two_nodes(&server).await;
    let chat = here.open(1, 2).await;
    let client = bus_client(&server).await;
    let mut bus = subscribe_to_all(&client).await;
    let mut before: Option<Session> = None;
    for turn in 0..20 {
        let node = if turn % 2 == 0 { &here } else { &there };
        // Nothing is acknowledged, so each session gets all messages.
        let mut session = node.dm.connect(&who(2)).await.unwrap();
        // Of two sessions that begin within the transfer time of a frame, either may stay.
        next_claim_of(&mut bus, node).await;
        if let Some(mut before) = before.take() {
            // The session may have deliveries left before it ends.
            loop {
                match in_time("the end of the session", before.next()).await {
                    Ok(_) => {}
                    Err(SessionEnd::Replaced) => break,
                    Err(other) => panic!("{other:?}"),
                }
            }
        }
        here.send(&who(1), chat, &turn.to_string()).await;
        let mut seen = Vec::new();
        while seen.len() <= turn {
            if let Delivery::Entry(entry) = next(&mut session).await {
                seen.extend(entry.message().map(|message| common::payload(message)));
            }
        }
        assert_eq!(seen, (0..=turn).map(|n| n.to_string()).collect::<Vec<_>>());
        before = Some(session);
    }
    assert_eq!(live_sessions([&here, &there]), 1);
}

#[tokio::test]
async fn frames_of_a_second_notifier_of_a_hub_are_accepted_and_it_claims_existing_sessions() {
    let server = Server::start();
    let (here, there) = two_nodes(&server).await;
    common::wait_until_verified(&[&here, &there]).await;
    let client = bus_client(&server).await;
    let mut bus = subscribe_to_all(&client).await;
    let mut older = here.connect(&who(2)).await;
    next_claim_of(&mut bus, &here).await;
    here.nats.shutdown(Duration::from_secs(30)).await;
    wait_until("the node is known to be gone", || there.nats.health().peers == Some(Vec::new())).await;
    // The age is much more than the transfer time of a frame. Of two sessions that begin within
    // this time, either may stay.
    wait_until("the session is old enough", || here.hub.claims(user(2))[0].age > Duration::from_secs(2))
        .await;
    // The older session gets no claim: its node has no notifier.
    let mut newer = there.connect(&who(2)).await;
    next_claim_of(&mut bus, &there).await;

    let refused = |stats: dm_notify_nats::NatsStats| (stats.repeated, stats.stale);
    let before = refused(there.nats.stats());
    let config = common::config();
    let second = NatsNotifier::connect_with(&here.hub, &servers(&server), &config).await.unwrap();
    assert_replaced(&mut older).await;
    wait_until("the node is verified", || there.nats.health().peers == Some(vec![here.hub.node()])).await;
    assert_eq!(refused(there.nats.stats()), before);
    wait_until("the other node is verified", || second.health().peers == Some(vec![there.hub.node()])).await;
    let again = second.end_sessions(&disconnect_order()).await;
    assert_eq!((again.sessions, again.is_complete()), (1, true));
    assert!(matches!(
        in_time("the end of the session", newer.next()).await,
        Err(SessionEnd::Disconnected(_))
    ));
}

fn disconnect_order() -> EndSessions {
    EndSessions { user: user(2), device: None, reason: DisconnectReason::Refused }
}

#[tokio::test]
async fn one_of_two_sessions_that_began_during_an_outage_ends_after_it() {
    let mut server = Server::start();
    let (here, there) = two_nodes(&server).await;
    server.stop();
    wait_until("both nodes notice the outage", || {
        !here.nats.health().connected && !there.nats.health().connected
    })
    .await;
    let (one, other) = (here.connect(&who(2)).await, there.connect(&who(2)).await);
    assert_eq!(live_sessions([&here, &there]), 2);
    server.restart();
    wait_until("one session is ended", || live_sessions([&here, &there]) < 2).await;
    for _ in 0..3 {
        here.flushed(0).await;
        there.flushed(0).await;
    }
    assert_eq!(live_sessions([&here, &there]), 1);
    drop((one, other));
}
