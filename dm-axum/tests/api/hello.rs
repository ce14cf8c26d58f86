//! Connections with a hello: the welcome, the backlog, live deliveries, and their end.

use dm_core::Principal;
use dm_core::store::StoreErrorKind;
use dm_proto::{
    DmGap, DmHello, DmHistoryRequest, DmPing, DmWelcome, Envelope, dm_client_frame, dm_delivery::Event,
    dm_gap::Reason, dm_server_frame::Frame, envelope::Payload,
};
use serde_json::json;

use crate::faults::FaultyStore;
use crate::socket::{Socket, client_frame, until};
use crate::world::{SECOND, START, World, derived_key, user};

const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

async fn devices(world: &World, n: u64) -> Vec<String> {
    let devices = world.dm.devices(&user(n).into()).await.unwrap();
    devices.iter().map(|state| state.device.to_string()).collect()
}

#[tokio::test]
async fn the_backlog_is_delivered_in_order_then_caught_up_then_live_deliveries() {
    let world = World::new().await;
    let conversation = world.open(1, 2).await;
    world.send(1, &conversation, "a").await;
    world.send(2, &conversation, "own, by another device").await;
    world.send(1, &conversation, "b").await;

    let (mut socket, welcome) = Socket::hello(&world, 2, "phone").await;
    let expected = DmWelcome { device: "phone".into(), cursor: 0, window: 256, max_payload: 64 * 1024 };
    assert_eq!(welcome, expected);
    let opened = socket.receive_delivery().await;
    assert_eq!((opened.position, opened.at), (1, START));
    let Some(Event::ConversationCreated(event)) = opened.event else { panic!("{opened:?}") };
    assert_eq!(event.conversation.unwrap().id, conversation);
    for (position, text) in [(2, "a"), (3, "own, by another device"), (4, "b")] {
        assert_eq!(socket.receive_text().await, (position, text.to_owned()));
    }
    assert_eq!(socket.receive_caught_up().await, 4);

    world.clock.advance(SECOND);
    world.send(1, &conversation, "live").await;
    let live = socket.receive_delivery().await;
    assert_eq!((live.position, live.at), (5, START + 1_000));
    let Some(Event::Message(event)) = live.event else { panic!("{live:?}") };
    let message = event.message.unwrap();
    assert_eq!((message.server_sequence, message.sender_pubkey), (4, user(1).to_string()));
    assert_eq!((&*message.sender_display_name, &message.encrypted_payload[..]), ("Person 1", &b"live"[..]));
}

#[tokio::test]
async fn a_new_device_may_start_without_the_backlog() {
    let world = World::new().await;
    let conversation = world.open(1, 2).await;
    world.send(1, &conversation, "before").await;
    let mut socket = Socket::open(&world, 2).await;
    let hello = DmHello { device: "new".into(), protocol: 1, start_now: true, ..DmHello::default() };
    socket.send_envelope(&Envelope::client("h", dm_client_frame::Frame::Hello(hello))).await;
    let (_, Frame::Welcome(welcome)) = socket.receive_server().await else { panic!() };
    assert_eq!(welcome.cursor, 2);
    assert_eq!(socket.receive_caught_up().await, 2);
    world.send(1, &conversation, "after").await;
    assert_eq!(socket.receive_text().await, (3, "after".to_owned()));
}

#[tokio::test]
async fn a_device_whose_backlog_expired_is_sent_the_gap_first() {
    let world = World::new().await;
    let conversation = world.open(1, 2).await;
    let (mut socket, _) = Socket::hello(&world, 2, "phone").await;
    assert_eq!(socket.receive_delivery().await.position, 1);
    assert_eq!(socket.receive_caught_up().await, 1);
    socket.ack("a", 1, &[]).await;
    socket.receive_acknowledged("a").await;
    socket.close().await;

    world.send(1, &conversation, "expires").await;
    world.send(1, &conversation, "expires too").await;
    world.clock.advance(31 * DAY);
    world.dm.expire().await.unwrap();
    world.send(1, &conversation, "held").await;

    let (mut socket, welcome) = Socket::hello(&world, 2, "phone").await;
    assert_eq!(welcome.cursor, 1);
    let (_, Frame::Gap(gap)) = socket.receive_server().await else { panic!() };
    assert_eq!(gap, DmGap { from: 2, to: 3, reason: Reason::Expired.into() });
    assert_eq!(socket.receive_text().await, (4, "held".to_owned()));
    assert_eq!(socket.receive_caught_up().await, 4);
    world.send(1, &conversation, "live").await;
    assert_eq!(socket.receive_text().await, (5, "live".to_owned()));

    // The client acknowledges the end of the gap like a delivery. After that, the gap is not sent
    // again.
    socket.ack("b", gap.to, &[]).await;
    assert_eq!(socket.receive_acknowledged("b").await.up_to, 3);
    socket.close().await;
    let (mut socket, welcome) = Socket::hello(&world, 2, "phone").await;
    assert_eq!(welcome.cursor, 3);
    assert_eq!(socket.receive_text().await.0, 4);
}

#[tokio::test]
async fn a_peer_s_new_key_is_delivered() {
    let world = World::new().await;
    world.open(1, 2).await;
    let (mut socket, _) = Socket::hello(&world, 2, "phone").await;
    socket.receive_delivery().await;
    socket.receive_caught_up().await;
    world.clock.advance(SECOND);
    world.post(1, "keys", &json!({ "x25519_pubkey": derived_key(1) })).await;
    let delivery = socket.receive_delivery().await;
    assert_eq!(delivery.position, 2);
    let Some(Event::KeyRotated(event)) = delivery.event else { panic!("{delivery:?}") };
    let expected = (user(1).to_string(), START + 1_000, 1);
    assert_eq!((event.user_pubkey, event.timestamp, event.version), expected);
    assert_eq!(data_encoding::HEXLOWER.encode(&event.new_x25519_pubkey), derived_key(1));
}

#[tokio::test]
async fn a_conversation_that_is_opened_is_delivered_to_both_users() {
    let world = World::new().await;
    let (mut one, _) = Socket::hello(&world, 1, "phone").await;
    let (mut other, _) = Socket::hello(&world, 2, "phone").await;
    assert_eq!((one.receive_caught_up().await, other.receive_caught_up().await), (0, 0));
    let conversation = world.open(1, 2).await;
    for socket in [&mut one, &mut other] {
        let delivery = socket.receive_delivery().await;
        let Some(Event::ConversationCreated(event)) = delivery.event else { panic!("{delivery:?}") };
        assert_eq!((delivery.position, &event.conversation.unwrap().id), (1, &conversation));
    }
}

#[tokio::test]
async fn a_newer_connection_of_the_device_replaces_the_older_and_loses_nothing() {
    let world = World::new().await;
    let conversation = world.open(1, 2).await;
    let (mut older, _) = Socket::hello(&world, 2, "phone").await;
    older.receive_delivery().await;
    older.receive_caught_up().await;
    world.send(1, &conversation, "delivered").await;
    older.receive_text().await;

    let (mut newer, welcome) = Socket::hello(&world, 2, "phone").await;
    world.send(1, &conversation, "since").await;
    let reason = "replaced by a newer connection of the same device".to_owned();
    assert_eq!(older.receive_close().await, (4009, reason));
    assert_eq!((welcome.cursor, newer.receive_delivery().await.position), (0, 1));
    assert_eq!(newer.receive_text().await, (2, "delivered".to_owned()));
    // The last message may be delivered as a part of the backlog or after it.
    let mut received = Vec::new();
    while received.len() < 2 {
        received.push(newer.receive_server().await.1);
    }
    let texts =
        received.iter().filter(|frame| matches!(frame, Frame::Delivery(d) if d.position == 3)).count();
    let caught_up = received.iter().filter(|frame| matches!(frame, Frame::CaughtUp(_))).count();
    assert_eq!((texts, caught_up), (1, 1), "{received:?}");
    until(async || world.hub.connections() == 1).await;

    // A connection of another device of the same user replaces no connection.
    let (mut laptop, _) = Socket::hello(&world, 2, "laptop").await;
    laptop.receive_delivery().await;
    newer.receive_nothing_more().await;
}

#[tokio::test]
async fn the_host_names_the_device_or_it_is_the_default_device() {
    let world = World::new().await;
    let mut socket = Socket::open_on(&world, 2, "phone").await;
    socket.send_hello("h", "").await;
    let (_, Frame::Welcome(welcome)) = socket.receive_server().await else { panic!() };
    assert_eq!(welcome.device, "phone");
    let (_socket, welcome) = Socket::hello(&world, 2, "").await;
    assert_eq!(welcome.device, "default");
    assert_eq!(devices(&world, 2).await, ["phone", "default"]);
}

#[tokio::test]
async fn a_hello_that_cannot_be_accepted_is_refused_and_registers_nothing() {
    let world = World::configured(|config| config.devices_per_user = 1).await;
    Socket::hello(&world, 2, "phone").await.0.close().await;
    let before = world.stored().await;
    let table = [
        ("phone", "phone", 2, (422, "not-acceptable", "protocol")),
        ("phone", "phone", 0, (422, "not-acceptable", "protocol")),
        ("phone", "laptop", 1, (403, "foreign-device", "device")),
        ("default", "a b", 1, (400, "malformed", "device")),
        ("default", &"x".repeat(65), 1, (400, "malformed", "device")),
        ("default", "phone\0", 1, (400, "malformed", "device")),
        ("default", "\u{202e}enohp", 1, (400, "malformed", "device")),
        ("default", "one too many", 1, (400, "malformed", "device")),
        ("default", "one-too-many", 1, (429, "too-many-devices", "")),
    ];
    for (host, device, protocol, (status, kind, field)) in table {
        let mut socket = Socket::open_on(&world, 2, host).await;
        let hello = DmHello { device: device.into(), protocol, ..DmHello::default() };
        socket.send_envelope(&Envelope::client("h", dm_client_frame::Frame::Hello(hello))).await;
        let problem = socket.receive_problem("h").await;
        let kind = format!("urn:dm:problem:{kind}");
        assert_eq!((problem.status, problem.r#type, &*problem.field), (status, kind, field), "{device:?}");
        assert_eq!(socket.receive_close().await, (4003, "refused".to_owned()), "{device:?}");
    }
    assert_eq!(world.stored().await, before);
    Socket::hello(&world, 2, "phone").await;
}

#[tokio::test]
async fn a_hello_during_a_fault_of_the_store_may_be_repeated() {
    let store = FaultyStore::default();
    let world = World::with(store.clone(), |_| (), |_| ()).await;
    let mut socket = Socket::open(&world, 2).await;
    store.fail_next(StoreErrorKind::Unavailable);
    socket.send_hello("h", "phone").await;
    let problem = socket.receive_problem("h").await;
    assert_eq!(problem.status, 503);
    assert!(problem.retry_after_ms.is_some());
    assert_eq!(socket.receive_close().await, (1012, "unavailable".to_owned()));
    Socket::hello(&world, 2, "phone").await;
}

#[tokio::test]
async fn a_second_hello_and_an_unknown_frame_are_refused_and_the_connection_stays_open() {
    let world = World::new().await;
    let (mut socket, _) = Socket::hello(&world, 2, "phone").await;
    socket.receive_caught_up().await;
    socket.send_hello("again", "laptop").await;
    let problem = socket.receive_problem("again").await;
    assert_eq!((problem.status, &*problem.field), (422, "hello"));
    assert_eq!(devices(&world, 2).await, ["phone"]);
    socket.send_envelope(&client_frame(None)).await;
    let problem = socket.receive_problem("r").await;
    assert_eq!((problem.status, &*problem.field), (422, "frame"));
    world.open(1, 2).await;
    assert_eq!(socket.receive_delivery().await.position, 1);
}

#[tokio::test]
async fn a_ping_is_answered_with_its_nonce() {
    let world = World::new().await;
    let (mut socket, _) = Socket::hello(&world, 2, "phone").await;
    socket.receive_caught_up().await;
    for (id, nonce) in [("a", 0), ("b", u64::MAX)] {
        socket.send_envelope(&Envelope::client(id, dm_client_frame::Frame::Ping(DmPing { nonce }))).await;
        let (answered, Frame::Pong(pong)) = socket.receive_server().await else { panic!() };
        assert_eq!((&*answered, pong.nonce), (id, nonce));
    }
}

#[tokio::test]
async fn a_connection_whose_pong_waits_behind_requests_stays_open() {
    let store = FaultyStore::default();
    let world = World::with(store.clone(), |_| (), |options| options.in_flight = 1).await;
    let conversation = world.open(1, 2).await;
    let (mut socket, _) = Socket::hello(&world, 1, "phone").await;
    socket.receive_delivery().await;
    socket.receive_caught_up().await;
    let writes = store.writes();
    store.hold_commits(true);
    // With `in_flight` of 1, the server reads no further frame until this request is answered.
    socket.send("s", &conversation, "slow").await;
    until(async || store.writes() > writes).await;
    world.clock.advance(30 * SECOND);
    socket.receive_ping(true).await;
    for _ in 0..3 {
        world.clock.advance(10 * SECOND);
        tokio::task::yield_now().await;
    }
    store.hold_commits(false);
    assert_eq!(socket.receive_sent("s").await.server_sequence, 1);
    socket.receive_nothing_more().await;
    // The server has read the answer to the ping, so the connection stays open.
    world.clock.advance(10 * SECOND);
    socket.receive_nothing_more().await;
}

#[tokio::test]
async fn a_shutdown_answers_pending_requests_and_then_closes_with_1012() {
    let store = FaultyStore::default();
    let world = World::with(store.clone(), |_| (), |_| ()).await;
    let conversation = world.open(1, 2).await;
    let (mut socket, _) = Socket::hello(&world, 1, "phone").await;
    socket.receive_delivery().await;
    socket.receive_caught_up().await;
    let writes = store.writes();
    store.hold_commits(true);
    socket.send("s", &conversation, "under way").await;
    until(async || store.writes() > writes).await;

    let dm = world.dm.clone();
    let shutdown = tokio::spawn(async move { dm.shutdown(SECOND).await });
    let (_, Frame::GoingAway(going)) = socket.receive_server().await else { panic!() };
    assert_eq!((&*going.reason, going.reconnect_after_ms > 0), ("shutting down", true));
    store.hold_commits(false);
    assert_eq!(socket.receive_sent("s").await.server_sequence, 1);
    assert_eq!(socket.receive_close().await, (1012, "shutting down".to_owned()));
    shutdown.await.unwrap();
    let who = Principal::from(user(2));
    assert_eq!(world.dm.depth(&who).await.unwrap().messages, 1);
    until(async || world.hub.connections() == 0).await;
}

#[tokio::test]
async fn a_shutdown_also_answers_pending_requests_of_a_client_that_reads_late() {
    let store = FaultyStore::default();
    let world = World::with(store.clone(), |_| (), |_| ()).await;
    let conversation = world.open(1, 2).await;
    for _ in 0..3 {
        world.send(1, &conversation, &"x".repeat(64 * 1024)).await;
    }
    let (mut socket, _) = Socket::hello(&world, 1, "phone").await;
    while !matches!(socket.receive_server().await.1, Frame::CaughtUp(_)) {}
    store.hold_history(true);
    // The answers do not fit into the buffers between the client and the server.
    let requests = 30;
    let page = DmHistoryRequest { conversation_id: conversation, before_sequence: 0, limit: 0 };
    for _ in 0..requests {
        socket.send_envelope(&Envelope::new("p", Payload::DmHistoryRequest(page.clone()))).await;
    }
    // The server has read all requests, and they are in progress.
    socket.receive_nothing_more().await;
    let dm = world.dm.clone();
    let shutdown = tokio::spawn(async move { dm.shutdown(SECOND).await });
    until(async || !world.dm.health().accepting).await;
    store.hold_history(false);
    until(async || store.history_reads() == requests).await;
    let (_, Frame::GoingAway(_)) = socket.receive_server().await else { panic!() };
    for _ in 0..requests {
        let Some(Payload::DmHistoryResponse(page)) = socket.receive().await.payload else { panic!() };
        assert_eq!(page.messages.len(), 3);
    }
    assert_eq!(socket.receive_close().await, (1012, "shutting down".to_owned()));
    shutdown.await.unwrap();
}

#[tokio::test]
async fn a_hello_that_waits_while_the_service_shuts_down_is_refused_and_closed_with_1012() {
    let store = FaultyStore::default();
    let world = World::with(store.clone(), |_| (), |_| ()).await;
    let conversation = world.open(1, 2).await;
    let (mut other, _) = Socket::hello(&world, 1, "phone").await;
    let writes = store.writes();
    store.hold_commits(true);
    other.send("s", &conversation, "under way").await;
    until(async || store.writes() > writes).await;
    let mut socket = Socket::open(&world, 2).await;
    socket.send_hello("h", "new").await;
    until(async || world.dm.health().queued == 1).await;

    let dm = world.dm.clone();
    let shutdown = tokio::spawn(async move { dm.shutdown(SECOND).await });
    until(async || !world.dm.health().accepting).await;
    world.clock.advance(SECOND);
    let problem = socket.receive_problem("h").await;
    assert_eq!(problem.detail, "shutting down");
    assert_eq!(socket.receive_close().await, (1012, "shutting down".to_owned()));
    shutdown.await.unwrap();
}
