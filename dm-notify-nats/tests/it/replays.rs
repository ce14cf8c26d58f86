//! Replays: frames that a client without the key recorded and sends again, later or on other
//! subjects.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use dm_core::notify::{SessionClaim, SessionId, Term};
use dm_core::{DisconnectReason, MemoryStore, Session, SessionEnd, Timestamp};
use dm_notify_nats::Presence;
use dm_test_servers::nats::Server;

use crate::common::{
    self, Node, bus_client, config, in_time, next_frame, on, servers, subject, subscribe_to_all,
    subscriptions, text, two_verified_nodes, user, wait_until, wait_until_verified, who,
};
use crate::fake_node::{
    CHALLENGE, CLAIMS, CONFIRMATION, FakeNode, HEARTBEAT, ORDER, PRESENCE_REQUEST, PROBE, USER_CONNECTED,
    replay,
};

const KEY: Option<[u8; 32]> = Some([7; 32]);

/// Asserts that a session has not ended: it gets a message that is sent now.
async fn assert_has_not_ended(session: &mut Session, node: &Node) {
    let chat = node.open(1, 2).await;
    node.send(&who(1), chat, "still connected").await;
    loop {
        if let dm_core::Delivery::Entry(entry) = common::next(session).await
            && entry.message().is_some_and(|message| common::payload(message) == "still connected")
        {
            return;
        }
    }
}

#[tokio::test]
async fn a_reply_is_valid_for_its_own_request_only() {
    let server = Server::start();
    let mut quick = config();
    quick.presence_timeout = Duration::from_millis(500);
    let (here, there) = two_verified_nodes(&server, &quick).await;
    let _bo = there.connect(&who(2)).await;
    wait_until("the node is subscribed", || subscriptions(&server) == 1).await;
    let attacker = bus_client(&server).await;
    let mut bus = subscribe_to_all(&attacker).await;
    assert_eq!(here.nats.presence(user(2)).await, Presence::Elsewhere);
    let request = next_frame(&mut bus, PRESENCE_REQUEST).await;
    let yes = next_frame(&mut bus, USER_CONNECTED).await;

    // No node has this user. The servers do not report that, because the attacker is subscribed.
    let asked = tokio::spawn({
        let nats = here.nats.clone();
        async move { nats.presence(user(3)).await }
    });
    let of_another = next_frame(&mut bus, PRESENCE_REQUEST).await;
    assert_eq!(*of_another.subject, *subject(3));
    let reply = of_another.reply.unwrap();
    attacker.publish(reply.clone(), yes.payload).await.unwrap();
    // The copied request makes a node with another user reply.
    attacker.publish_with_reply(request.subject, reply.clone(), request.payload).await.unwrap();
    assert_ne!(
        *next_frame(&mut bus, USER_CONNECTED).await.subject,
        *yes.subject,
        "the reply to the copied request"
    );
    assert_eq!(
        *next_frame(&mut bus, USER_CONNECTED).await.subject,
        *yes.subject,
        "the reply to the first request"
    );
    assert_eq!(in_time("the timeout", asked).await.unwrap(), Presence::Unknown);
    assert_eq!(here.nats.stats().unauthenticated, 1);
}

#[tokio::test]
async fn a_confirmation_is_valid_for_its_own_order_only() {
    let server = Server::start();
    let mut quick = config();
    quick.confirm_timeout = Duration::from_millis(500);
    let here = Node::configured(&MemoryStore::new(), &servers(&server), &quick).await;
    let mut mute = FakeNode::new(bus_client(&server).await, *b"one mute", KEY);
    mute.wait_until_verified_by(&here).await;
    let attacker = bus_client(&server).await;
    let mut bus = subscribe_to_all(&attacker).await;
    let order = || here.dm.disconnect(user(2), None, DisconnectReason::Refused);
    let confirms = async {
        let reply = next_frame(&mut bus, ORDER).await.reply.unwrap();
        mute.confirm(&reply).await
    };
    let (ended, confirmation) = tokio::join!(order(), confirms);
    assert!(ended.is_complete());
    let copies = async {
        let reply = next_frame(&mut bus, ORDER).await.reply.unwrap();
        attacker.publish(reply, confirmation).await.unwrap();
    };
    let (ended, ()) = tokio::join!(order(), copies);
    assert_eq!((ended.confirmed, ended.expected), (vec![here.hub.node()], Some(2)));
    assert_eq!(here.nats.stats().unauthenticated, 1);
}

#[tokio::test]
async fn replayed_heartbeats_of_ended_nodes_delay_no_order() {
    let server = Server::start();
    let mut patient = config();
    patient.confirm_timeout = Duration::from_secs(3_600);
    let (here, there) = two_verified_nodes(&server, &patient).await;
    let attacker = bus_client(&server).await;
    let mut bus = subscribe_to_all(&attacker).await;
    for (id, behind) in [(*b"one hour", Duration::from_secs(3_600)), (*b"a moment", Duration::ZERO)] {
        let mut gone = FakeNode::new(attacker.clone(), id, KEY);
        gone.clock_lag = behind;
        gone.send(HEARTBEAT, "dm.nodes", &[]).await;
        for _ in 0..2 {
            let asked = next_frame(&mut bus, CHALLENGE).await;
            assert_eq!(asked.payload[10..18], id, "each node sends a challenge");
        }
        let ended = in_time("an answer", here.dm.disconnect(user(2), None, DisconnectReason::Refused)).await;
        assert_eq!(ended.confirmed.len(), 2);
        // The node may count as alive for three heartbeat intervals.
        assert!(matches!(ended.expected, None | Some(2)), "{ended:?}");
    }
    assert_eq!(there.nats.health().peers, Some(vec![here.hub.node()]));
}

#[tokio::test]
async fn replayed_heartbeats_of_many_nodes_do_not_prevent_verification() {
    let server = Server::start();
    let mut patient = config();
    patient.confirm_timeout = Duration::from_secs(3_600);
    let here = Node::configured(&MemoryStore::new(), &servers(&server), &patient).await;
    let client = bus_client(&server).await;
    let mut bus = subscribe_to_all(&client).await;
    for n in 0..100_u64 {
        let mut gone = FakeNode::new(client.clone(), n.to_be_bytes(), KEY);
        gone.clock_lag = Duration::from_secs(3_600);
        gone.send(HEARTBEAT, "dm.nodes", &[]).await;
    }
    let heard = FakeNode::new(client.clone(), *b"a gone 1", KEY);
    heard.wait_until_processed_by(&here, &mut bus, 0).await;
    let there = Node::configured(&MemoryStore::new(), &servers(&server), &patient).await;
    wait_until_verified(&[&here, &there]).await;
}

#[tokio::test]
async fn a_late_claim_ends_no_newer_session() {
    let server = Server::start();
    let here = Node::configured(&MemoryStore::new(), &servers(&server), &config()).await;
    let client = bus_client(&server).await;
    let mut bus = subscribe_to_all(&client).await;
    let mut late = FakeNode::new(client, *b"one late", KEY);
    late.wait_until_verified_by(&here).await;
    let before = Instant::now();
    let mut session = here.connect(&who(2)).await;
    let claims_of = |message: &async_nats::Message| message.payload[2..10] == *here.hub.node().as_bytes();
    while !claims_of(&next_frame(&mut bus, CLAIMS).await) {}
    // The claim was sent half a second before the session began. Its fields: the default device, a
    // term above the session's, and the age zero.
    late.clock_lag = before.elapsed() + Duration::from_millis(500);
    let claim = [&[0][..], &1_900_000_000_000_u64.to_be_bytes(), &[0; 8], &[0; 8]].concat();
    late.send(CLAIMS, &subject(2), &claim).await;
    assert!(!claims_of(&next_frame(&mut bus, CLAIMS).await));
    wait_until("the claim is answered", || {
        here.hub.claims(user(2)).first().is_none_or(|own| is_above(own, &late))
    })
    .await;
    assert_has_not_ended(&mut session, &here).await;
}

/// Whether a session's term is above that of the late claim.
fn is_above(own: &SessionClaim, late: &FakeNode) -> bool {
    let session = SessionId { node: late.id(), number: 0 };
    own.term > Term { at: Timestamp::from_millis(1_900_000_000_000), session }
}

/// Forges the servers' answer that no node is subscribed.
fn forge_no_responders(server: &Server, reply: &str) {
    let address = server.address();
    let mut socket = TcpStream::connect(address.trim_start_matches("nats://")).unwrap();
    let status = "NATS/1.0 503\r\n\r\n";
    let len = status.len();
    write!(
        socket,
        "CONNECT {{\"verbose\":false,\"pedantic\":false,\"headers\":true}}\r\n\
         HPUB {reply} {len} {len}\r\n{status}\r\nPING\r\n"
    )
    .unwrap();
    // After the server's PONG the message was forwarded.
    assert!(BufReader::new(socket).lines().any(|line| line.unwrap() == "PONG"));
}

#[tokio::test]
async fn a_forged_answer_that_no_node_is_subscribed_ends_no_challenge() {
    let server = Server::start();
    let mut calm = config();
    calm.heartbeat = Duration::from_secs(1);
    let here = Node::configured(&MemoryStore::new(), &servers(&server), &calm).await;
    let client = bus_client(&server).await;
    let mut bus = subscribe_to_all(&client).await;
    let mut slow = FakeNode::new(client, *b"one slow", KEY);
    slow.send(HEARTBEAT, "dm.nodes", &[]).await;
    let reply = next_frame(&mut bus, CHALLENGE).await.reply.unwrap();
    forge_no_responders(&server, &reply);
    // The challenge is still under way.
    slow.send(HEARTBEAT, &reply, &[]).await;
    let peers = |node: &Node| node.nats.health().peers.unwrap_or_default();
    wait_until("the node is verified", || peers(&here).contains(&slow.id())).await;
}

#[tokio::test]
async fn a_replayed_heartbeat_is_counted_and_causes_no_challenge() {
    let server = Server::start();
    let (here, there) = two_verified_nodes(&server, &config()).await;
    let attacker = bus_client(&server).await;
    let mut bus = subscribe_to_all(&attacker).await;
    let heartbeat = next_frame(&mut bus, HEARTBEAT).await;
    let (sender, other) = if heartbeat.payload[2..10] == *here.hub.node().as_bytes() {
        (&here, &there)
    } else {
        (&there, &here)
    };
    sender.nats.shutdown(Duration::from_secs(30)).await;
    wait_until("the node is known to be gone", || other.nats.health().peers == Some(Vec::new())).await;
    let repeated = other.nats.stats().repeated;
    replay(&attacker, &heartbeat).await;
    wait_until("the frame is counted", || other.nats.stats().repeated == repeated + 1).await;
    assert_eq!(other.nats.health().peers, Some(Vec::new()));
}

#[tokio::test]
async fn a_node_with_a_wrong_clock_is_verified_and_its_orders_are_accepted_once() {
    let server = Server::start();
    let (here, _there) = two_verified_nodes(&server, &config()).await;
    let attacker = bus_client(&server).await;
    let mut late = FakeNode::new(bus_client(&server).await, *b"too late", KEY);
    late.clock_lag = Duration::from_secs(3_600);
    late.wait_until_verified_by(&here).await;
    let mut bus = subscribe_to_all(&attacker).await;
    let mut banned = here.connect(&who(2)).await;
    let order = late.send_order(2, [9; 16]).await;
    assert!(matches!(
        in_time("the end of the session", banned.next()).await,
        Err(SessionEnd::Disconnected(_))
    ));
    next_frame(&mut bus, CONFIRMATION).await;
    drop(banned);

    let mut session = here.connect(&who(2)).await;
    let repeated = here.nats.stats().repeated;
    attacker.publish("dm.nodes", order).await.unwrap();
    wait_until("the frame is counted", || here.nats.stats().repeated == repeated + 1).await;
    assert_has_not_ended(&mut session, &here).await;
}

#[tokio::test]
async fn a_replayed_order_is_refused_after_any_number_of_other_frames() {
    let server = Server::start();
    let (here, there) = two_verified_nodes(&server, &config()).await;
    let attacker = bus_client(&server).await;
    let mut bus = subscribe_to_all(&attacker).await;
    assert!(here.dm.disconnect(user(2), None, DisconnectReason::Refused).await.is_complete());
    let order = next_frame(&mut bus, ORDER).await;
    let mut session = there.connect(&who(2)).await;

    let mut busy = FakeNode::new(attacker.clone(), *b"one busy", KEY);
    for round in 0..170 {
        // At most as many frames as can wait in a node's subscription.
        for _ in 0..100 {
            busy.send(HEARTBEAT, "dm.nodes", &[]).await;
        }
        busy.wait_until_processed_by(&there, &mut bus, round).await;
    }
    let repeated = there.nats.stats().repeated;
    replay(&attacker, &order).await;
    wait_until("the frame is counted", || there.nats.stats().repeated == repeated + 1).await;
    assert_has_not_ended(&mut session, &there).await;
}

#[tokio::test]
async fn an_order_from_before_a_node_started_ends_none_of_its_sessions() {
    let server = Server::start();
    let (here, _there) = two_verified_nodes(&server, &config()).await;
    let attacker = bus_client(&server).await;
    let mut bus = subscribe_to_all(&attacker).await;
    // An order that was recorded some seconds ago.
    let mut before = FakeNode::new(attacker.clone(), *b"a before", KEY);
    before.clock_lag = Duration::from_secs(5);
    before.send_order(2, [9; 16]).await;
    let order = next_frame(&mut bus, ORDER).await;

    let restarted = Node::configured(&MemoryStore::new(), &servers(&server), &config()).await;
    wait_until_verified(&[&here, &restarted]).await;
    let mut session = restarted.connect(&on(2, "phone")).await;
    replay(&attacker, &order).await;
    wait_until("the frame is counted", || restarted.nats.stats().stale == 1).await;
    assert_has_not_ended(&mut session, &restarted).await;
}

#[tokio::test]
async fn a_replayed_probe_makes_no_session_read_the_store() {
    let server = Server::start();
    let (here, there) = two_verified_nodes(&server, &config()).await;
    let chat = here.open(1, 2).await;
    let attacker = bus_client(&server).await;
    let mut bus = subscribe_to_all(&attacker).await;
    let mut bo = there.connect(&who(2)).await;
    let probe = next_frame(&mut bus, PROBE).await;
    replay(&attacker, &probe).await;
    wait_until("the frame is counted", || there.nats.stats().repeated == 1).await;
    here.send(&who(1), chat, "heard").await;
    assert_eq!(text(&mut bo).await, "heard");
}
