//! Frames forged by a client of the bus without the nodes' key, and on nodes without keys.

use bytes::Bytes;
use dm_core::{DisconnectReason, MemoryStore, SessionEnd};
use dm_notify_nats::Presence;
use dm_test_servers::nats::Server;
use futures_util::StreamExt as _;

use crate::common::{
    self, Node, VERSION, bus_client, config, in_time, key, next_frame, on, servers, subject,
    subscribe_to_all, subscriptions, text, two_verified_nodes, user, wait_until, wait_until_verified, who,
    without_key,
};
use crate::fake_node::{CLAIMS, FakeNode, HEARTBEAT, ORDER};

const ENTRY: u8 = 1;
const NUMBER: u8 = 2;

#[tokio::test]
async fn a_forged_hint_is_refused_and_counted() {
    let server = Server::start();
    let (here, there) = two_verified_nodes(&server, &config()).await;
    let chat = here.open(1, 2).await;
    here.flushed(2).await;
    let mut bo = there.connect(&who(2)).await;
    wait_until("the recipient's node is subscribed", || subscriptions(&server) == 1).await;
    let attacker = bus_client(&server).await;
    let mut bus = subscribe_to_all(&attacker).await;
    here.send(&who(1), chat, "genuine").await;
    assert_eq!(text(&mut bo).await, "genuine");
    let genuine = next_frame(&mut bus, ENTRY).await;
    let genuine = if *genuine.subject == *subject(2) { genuine } else { next_frame(&mut bus, ENTRY).await };

    // The forged frame has the number of the next entry, so a session would deliver it as this
    // entry.
    let mut forged = genuine.payload.to_vec();
    forged[17] += 1;
    let without_tag = forged[..forged.len() - 16].to_vec();
    let mut number = forged[..18].to_vec();
    number[1] = NUMBER;
    number.push(0);
    for (n, frame) in [forged, without_tag, number].into_iter().enumerate() {
        attacker.publish(subject(2), frame.into()).await.unwrap();
        wait_until("the frame is counted", || there.nats.stats().unauthenticated == n as u64 + 1).await;
    }
    // The genuine frame, on the subject of another user.
    let _cy = there.connect(&who(3)).await;
    wait_until("the node is subscribed for both users", || subscriptions(&server) == 2).await;
    attacker.publish(subject(3), genuine.payload.clone()).await.unwrap();
    wait_until("the frame is counted", || there.nats.stats().unauthenticated == 4).await;
    // The genuine frame again, on its own subject: it is received and has no effect.
    let received = there.nats.stats().received;
    attacker.publish(subject(2), genuine.payload).await.unwrap();
    there.received(received + 1).await;
    here.send(&who(1), chat, "next").await;
    assert_eq!(text(&mut bo).await, "next", "neither forged nor repeated");
}

#[tokio::test]
async fn frames_of_a_node_with_another_key_are_refused() {
    let server = Server::start();
    let (here, there) = two_verified_nodes(&server, &config()).await;
    let mut foreign = config();
    foreign.keys = vec![key(8)];
    let foreign = Node::configured(&MemoryStore::new(), &servers(&server), &foreign).await;
    let mut bo = there.connect(&who(2)).await;
    wait_until("the recipient's node is subscribed", || subscriptions(&server) == 1).await;
    // All frames of the node with another key are refused: hints, claims, orders and requests.
    let before = there.nats.stats().unauthenticated;
    foreign.open(1, 2).await;
    let _same_device = foreign.connect(&who(2)).await;
    wait_until("the frames are counted", || there.nats.stats().unauthenticated >= before + 3).await;
    let mut quick = without_key();
    quick.keys = vec![key(8)];
    quick.confirm_timeout = std::time::Duration::from_millis(50);
    let quick = Node::configured(&MemoryStore::new(), &servers(&server), &quick).await;
    let ended = in_time("the bound", quick.dm.disconnect(user(2), None, DisconnectReason::Refused)).await;
    assert!(!ended.confirmed.contains(&there.hub.node()));
    let chat = here.open(1, 2).await;
    assert!(common::next(&mut bo).await.is_entry_without_message());
    here.send(&who(1), chat, "goes on").await;
    assert_eq!(text(&mut bo).await, "goes on");
    assert_eq!(there.nats.stats().undecodable, 0);
}

#[tokio::test]
async fn an_order_and_a_claim_are_accepted_once_and_replays_are_refused() {
    let server = Server::start();
    let (here, there) = two_verified_nodes(&server, &config()).await;
    let attacker = bus_client(&server).await;
    let mut bus = subscribe_to_all(&attacker).await;
    let mut banned = there.connect(&who(2)).await;
    let claim = next_frame(&mut bus, CLAIMS).await;
    assert!(here.dm.disconnect(user(2), None, DisconnectReason::Refused).await.is_complete());
    let order = next_frame(&mut bus, ORDER).await;
    assert!(matches!(
        in_time("the end of the session", banned.next()).await,
        Err(SessionEnd::Disconnected(_))
    ));
    drop(banned);

    // The user connects again, to the node that received both frames.
    let mut session = there.connect(&who(2)).await;
    let mut elsewhere = here.connect(&on(2, "desk")).await;
    wait_until("both are subscribed", || subscriptions(&server) == 2).await;
    attacker.publish(order.subject, order.payload).await.unwrap();
    wait_until("the frame is counted", || there.nats.stats().repeated == 1).await;
    for _ in 0..2 {
        attacker.publish(claim.subject.clone(), claim.payload.clone()).await.unwrap();
    }
    // The other node was not subscribed for the user when the claim was sent. It accepts the claim
    // once, without effect, because the claim is for an older session.
    wait_until("the frame is counted", || here.nats.stats().repeated == 1).await;
    let chat = here.open(1, 2).await;
    for session in [&mut session, &mut elsewhere] {
        assert!(common::next(session).await.is_entry_without_message());
    }
    here.send(&who(1), chat, "still connected").await;
    assert_eq!(text(&mut session).await, "still connected");
    assert_eq!(text(&mut elsewhere).await, "still connected");
}

#[tokio::test]
async fn a_forged_reply_to_a_request_or_an_order_is_refused() {
    let server = Server::start();
    let (here, there) = two_verified_nodes(&server, &config()).await;
    let _cy = there.connect(&who(3)).await;
    wait_until("the node is subscribed", || subscriptions(&server) == 1).await;
    let attacker = bus_client(&server).await;
    // The attacker answers every message that has a reply subject, before a node can.
    let mut bus = subscribe_to_all(&attacker).await;
    let forger_client = attacker.clone();
    let forging = tokio::spawn(async move {
        while let Some(message) = bus.next().await {
            if let Some(reply) = message.reply {
                let mut done = vec![VERSION, 13];
                done.extend(*b"a liar!!");
                done.extend(9_u32.to_be_bytes());
                forger_client.publish(reply, Bytes::from(done)).await.unwrap();
            }
        }
    });
    let ended = here.dm.disconnect(user(2), None, DisconnectReason::Refused).await;
    assert_eq!(ended.confirmed, [here.hub.node(), there.hub.node()]);
    assert_eq!((ended.sessions, ended.expected), (0, Some(2)));
    assert_eq!(
        here.nats.presence(user(3)).await,
        Presence::Elsewhere,
        "the genuine reply comes after the forged one"
    );
    forging.abort();
}

#[tokio::test]
async fn without_a_key_hints_have_only_numbers_and_received_entries_are_refused() {
    let server = Server::start();
    let (here, there) = two_verified_nodes(&server, &without_key()).await;
    let chat = here.open(1, 2).await;
    here.flushed(2).await;
    let mut bo = there.connect(&on(2, "phone")).await;
    wait_until("the recipient's node is subscribed", || subscriptions(&server) == 1).await;
    let attacker = bus_client(&server).await;
    let mut bus = subscribe_to_all(&attacker).await;
    here.send(&who(1), chat, "never on the bus").await;
    assert_eq!(text(&mut bo).await, "never on the bus");
    for _ in 0..2 {
        let hint = next_frame(&mut bus, NUMBER).await;
        assert!(!hint.payload.windows(5).any(|bytes| bytes == b"never"));
    }

    // A hint with an entry, as nodes with a key send them.
    let keyed = Node::configured(&MemoryStore::new(), &servers(&server), &config()).await;
    let foreign = keyed.open(1, 2).await;
    keyed.send(&who(1), foreign, "forged").await;
    let forged = loop {
        let forged = next_frame(&mut bus, ENTRY).await;
        if *forged.subject == *subject(2) && forged.payload.windows(6).any(|bytes| bytes == b"forged") {
            break forged.payload;
        }
    };
    let mut forged = forged[..forged.len() - 16].to_vec();
    forged[17] = 3;
    let before = there.nats.stats().unauthenticated;
    attacker.publish(subject(2), forged.into()).await.unwrap();
    wait_until("the frame is counted", || there.nats.stats().unauthenticated > before).await;

    // The number of the next entry, with the session's own device as its origin: a session that
    // trusted this would skip the message.
    let mut number = vec![VERSION, NUMBER];
    number.extend(*b"a liar!!");
    number.extend(3_u64.to_be_bytes());
    number.push(5);
    number.extend(b"phone");
    let received = there.nats.stats().received;
    attacker.publish(subject(2), number.into()).await.unwrap();
    there.received(received + 1).await;
    here.send(&who(1), chat, "not passed over").await;
    assert_eq!(text(&mut bo).await, "not passed over");
}

#[tokio::test]
async fn without_a_key_a_forged_frame_does_not_block_frames_of_the_real_node() {
    let server = Server::start();
    let (here, there) = two_verified_nodes(&server, &without_key()).await;
    let client = bus_client(&server).await;
    let mut bus = subscribe_to_all(&client).await;
    let mut forger = FakeNode::new(client, *there.hub.node().as_bytes(), None);
    forger.next_number = u64::MAX;
    forger.send(HEARTBEAT, "dm.nodes", &[]).await;
    forger.wait_until_processed_by(&here, &mut bus, 0).await;
    let mut banned = here.connect(&who(2)).await;
    let ended = there.dm.disconnect(user(2), None, DisconnectReason::Refused).await;
    assert_eq!((ended.sessions, ended.is_complete()), (1, true));
    assert!(matches!(
        in_time("the end of the session", banned.next()).await,
        Err(SessionEnd::Disconnected(_))
    ));
    wait_until_verified(&[&here, &there]).await;
    assert_eq!((here.nats.stats().stale, here.nats.stats().repeated), (0, 0));
}

#[tokio::test]
async fn without_a_key_a_forged_reply_does_not_prevent_verification() {
    let server = Server::start();
    let here = Node::configured(&MemoryStore::new(), &servers(&server), &without_key()).await;
    let client = bus_client(&server).await;
    let fake_node = || FakeNode::new(client.clone(), *b"a node!!", None);
    let mut forger = fake_node();
    forger.next_number = 1 << 60;
    in_time("a verification", forger.wait_until_verified_by(&here)).await;
    wait_until("the node counts as gone", || here.nats.health().peers == Some(Vec::new())).await;
    in_time("a verification", fake_node().wait_until_verified_by(&here)).await;
}

#[tokio::test]
async fn the_key_can_be_changed_while_the_nodes_run() {
    let server = Server::start();
    let store = MemoryStore::new();
    let with = |keys: &[u8]| {
        let mut config = config();
        config.keys = keys.iter().map(|n| key(*n)).collect();
        config
    };
    let (old, both, new) = (with(&[1]), with(&[2, 1]), with(&[2]));
    for (from, to) in [(&old, &both), (&both, &new), (&both, &both)] {
        let here = Node::configured(&store, &servers(&server), from).await;
        let there = Node::configured(&store, &servers(&server), to).await;
        let chat = here.open(1, 2).await;
        let mut bo = there.connect(&who(2)).await;
        wait_until("the recipient's node is subscribed", || subscriptions(&server) == 1).await;
        here.send(&who(1), chat, "heard").await;
        assert_eq!(text(&mut bo).await, "heard");
        there.received(1).await;
        drop(bo);
        wait_until("no subscription is left", || subscriptions(&server) == 0).await;
    }
}

trait Opening {
    fn is_entry_without_message(&self) -> bool;
}

impl Opening for dm_core::Delivery {
    fn is_entry_without_message(&self) -> bool {
        matches!(self, Self::Entry(entry) if entry.message().is_none())
    }
}
