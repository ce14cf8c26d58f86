//! Connections without a hello, which seed clients (clients of the first protocol version) open.

use dm_proto::{DmConversationListRequest, DmHistoryRequest, Envelope, envelope::Payload};
use serde_json::json;

use tokio_tungstenite::tungstenite::Message;

use crate::faults::FaultyStore;
use crate::socket::{Socket, client_frame, send, until};
use crate::world::{SECOND, START, World, derived_key, user};

async fn depth(world: &World, n: u64) -> u64 {
    world.dm.depth(&user(n).into()).await.unwrap().messages
}

#[tokio::test]
async fn live_events_are_sent_in_the_seed_s_frames() {
    let world = World::new().await;
    let mut socket = Socket::open(&world, 2).await;
    let conversation = world.open(1, 2).await;
    world.send(1, &conversation, "theirs").await;
    world.send(2, &conversation, "mine").await;
    world.post(1, "keys", &json!({ "x25519_pubkey": derived_key(1) })).await;

    let opened = socket.receive().await;
    assert_eq!(opened.request_id, "");
    let Some(Payload::DmConversationCreatedEvent(event)) = opened.payload else { panic!("{opened:?}") };
    let created = event.conversation.unwrap();
    let (a, b) = if user(1) < user(2) { (1, 2) } else { (2, 1) };
    assert_eq!((&created.id, created.created_at, created.last_message_at), (&conversation, START, 0));
    assert_eq!(created.participant_a_pubkey, user(a).to_string());
    assert_eq!(created.participant_b_display_name, format!("Person {b}"));
    assert_eq!(created.last_message_preview, "");

    for (n, text, sender) in [(1, "theirs", 1), (2, "mine", 2)] {
        let envelope = socket.receive().await;
        let Some(Payload::DmMessageEvent(event)) = envelope.payload else { panic!("{envelope:?}") };
        let message = event.message.unwrap();
        assert_eq!((message.server_sequence, &message.encrypted_payload[..]), (n, text.as_bytes()));
        assert_eq!(message.sender_display_name, format!("Person {sender}"));
        assert_eq!((message.timestamp, message.received_at, &message.nonce[..]), (5, START, &[7; 24][..]));
        assert!(message.ephemeral_pubkey.is_empty() && message.client_message_id.is_empty());
    }
    let rotated = socket.receive().await;
    let Some(Payload::DmKeyRotatedEvent(event)) = rotated.payload else { panic!("{rotated:?}") };
    assert_eq!((event.user_pubkey, event.timestamp, event.version), (user(1).to_string(), START, 1));
    assert_eq!(data_encoding::HEXLOWER.encode(&event.new_x25519_pubkey), derived_key(1));
}

#[tokio::test]
async fn pending_messages_are_fetched_and_not_pushed() {
    let world = World::new().await;
    let conversation = world.open(1, 2).await;
    world.send(1, &conversation, "waited").await;
    let mut socket = Socket::open(&world, 2).await;
    world.send(1, &conversation, "live").await;
    let envelope = socket.receive().await;
    let Some(Payload::DmMessageEvent(event)) = envelope.payload else { panic!("{envelope:?}") };
    assert_eq!(&event.message.unwrap().encrypted_payload[..], b"live");
    assert_eq!(depth(&world, 2).await, 2);
}

#[tokio::test]
async fn a_delivery_counts_as_acknowledged_once_a_later_ping_is_answered() {
    let world = World::new().await;
    let conversation = world.open(1, 2).await;
    let mut socket = Socket::open(&world, 2).await;
    world.send(1, &conversation, "a").await;
    socket.receive().await;
    assert_eq!(depth(&world, 2).await, 1);
    world.clock.advance(SECOND);
    socket.receive_ping(true).await;
    until(async || depth(&world, 2).await == 0).await;
    assert_eq!(world.get(2, "offline").await.1["messages"], json!([]));
}

#[tokio::test]
async fn a_delivery_without_an_answered_ping_after_it_stays_pending() {
    let world = World::new().await;
    let conversation = world.open(1, 2).await;
    let mut socket = Socket::open(&world, 2).await;
    world.send(1, &conversation, "a").await;
    socket.receive().await;
    world.clock.advance(SECOND);
    socket.receive_ping(false).await;
    world.clock.advance(10 * SECOND);
    assert_eq!(socket.receive_close().await, (1012, "a ping was not answered".to_owned()));
    assert_eq!(world.get(2, "offline").await.1["messages"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_acknowledgement_that_fails_leaves_the_delivery_pending() {
    let store = FaultyStore::default();
    let world = World::with(store.clone(), |_| (), |_| ()).await;
    let conversation = world.open(1, 2).await;
    let mut socket = Socket::open(&world, 2).await;
    world.send(1, &conversation, "a").await;
    socket.receive().await;
    world.clock.advance(SECOND);
    store.fail_next(dm_core::store::StoreErrorKind::Unavailable);
    socket.receive_ping(true).await;
    until(async || store.has_failed()).await;
    // The connection stays open. The next answered ping acknowledges the second delivery only.
    world.send(1, &conversation, "b").await;
    socket.receive().await;
    world.clock.advance(SECOND);
    socket.receive_ping(true).await;
    until(async || depth(&world, 2).await == 1).await;
}

#[tokio::test]
async fn many_deliveries_are_acknowledged_in_the_order_of_pings() {
    let world = World::new().await;
    let conversation = world.open(1, 2).await;
    let mut socket = Socket::open(&world, 2).await;
    for n in 0..700_u32 {
        world.send(1, &conversation, &n.to_string()).await;
    }
    // After 512 deliveries the server sends no more until a ping is answered.
    for n in 0..700_u32 {
        if n == 512 {
            world.clock.advance(SECOND);
        }
        let envelope = socket.receive().await;
        let Some(Payload::DmMessageEvent(event)) = envelope.payload else { panic!("{envelope:?}") };
        assert_eq!(event.message.unwrap().encrypted_payload, n.to_string());
    }
    world.clock.advance(SECOND);
    until(async || {
        let mut pings = futures_util::StreamExt::next(&mut socket.0);
        let _one = futures_util::FutureExt::now_or_never(&mut pings);
        depth(&world, 2).await == 0
    })
    .await;
}

#[tokio::test]
async fn an_idle_connection_is_pinged_every_30_seconds() {
    let world = World::new().await;
    let mut socket = Socket::open(&world, 1).await;
    for _ in 0..3 {
        world.clock.advance(30 * SECOND);
        socket.receive_ping(true).await;
        socket.list("alive").await;
    }
    world.clock.advance(30 * SECOND);
    socket.receive_ping(false).await;
    world.clock.advance(10 * SECOND);
    assert_eq!(socket.receive_close().await.0, 1012);
    until(async || world.hub.connections() == 0).await;
}

#[tokio::test]
async fn requests_are_answered_under_their_id() {
    let world = World::new().await;
    let conversation = world.open(1, 2).await;
    for n in 1..=60 {
        world.send(1, &conversation, &n.to_string()).await;
    }
    let mut socket = Socket::open(&world, 2).await;
    let listed = socket.list("l").await.conversations;
    assert_eq!((listed.len(), listed[0].last_message_at), (1, START));
    let table = [
        ("a", &*conversation, 0, 0, (11..=60).rev().collect::<Vec<u64>>(), true),
        ("b", &conversation, 4, 2, vec![3, 2], true),
        ("c", &conversation, 3, 100, vec![2, 1], false),
        ("d", &conversation, 1, 1_000, vec![], false),
        // Seed clients do not understand problems, so these two requests get an empty page.
        ("e", "0190b6a0-0000-7000-8000-000000000001", 0, 0, vec![], false),
        ("f", "no id", 0, 0, vec![], false),
    ];
    for (id, conversation_id, before_sequence, limit, expected, has_more) in table {
        let conversation_id = conversation_id.to_owned();
        let request = DmHistoryRequest { conversation_id, before_sequence, limit };
        socket.send_envelope(&Envelope::new(id, Payload::DmHistoryRequest(request))).await;
        let envelope = socket.receive().await;
        let Some(Payload::DmHistoryResponse(page)) = envelope.payload else { panic!("{envelope:?}") };
        let sequences: Vec<u64> = page.messages.iter().map(|message| message.server_sequence).collect();
        assert_eq!((&*envelope.request_id, sequences, page.has_more), (id, expected, has_more));
    }
}

#[tokio::test]
async fn a_page_of_large_messages_ends_at_the_size_of_a_frame() {
    let world = World::new().await;
    let conversation = world.open(1, 2).await;
    for _ in 0..6 {
        world.send(1, &conversation, &"x".repeat(64 * 1024)).await;
    }
    let mut socket = Socket::open(&world, 2).await;
    let conversation_id = conversation.clone();
    let request = DmHistoryRequest { conversation_id, before_sequence: 0, limit: 100 };
    socket.send_envelope(&Envelope::new("a", Payload::DmHistoryRequest(request))).await;
    let envelope = socket.receive().await;
    assert!(dm_proto::prost::Message::encoded_len(&envelope) <= 256 * 1024);
    let Some(Payload::DmHistoryResponse(page)) = envelope.payload else { panic!("{envelope:?}") };
    assert_eq!((page.messages.len(), page.has_more), (3, true));
}

#[tokio::test]
async fn a_client_frame_before_a_hello_is_refused() {
    let world = World::new().await;
    let conversation = world.open(1, 2).await;
    let before = world.stored().await;
    let sent = dm_proto::dm_client_frame::Frame::Send(send(&conversation, "x"));
    for frame in [Some(sent), None] {
        let mut socket = Socket::open(&world, 1).await;
        socket.send_envelope(&client_frame(frame)).await;
        assert_eq!(socket.receive_close().await, (1008, "hello comes first".to_owned()));
    }
    assert_eq!(world.stored().await, before);
}

#[tokio::test]
async fn a_shutdown_closes_with_1012_without_a_frame_that_the_seed_does_not_know() {
    let world = World::new().await;
    let mut socket = Socket::open(&world, 1).await;
    world.dm.shutdown(SECOND).await;
    let closed = futures_util::StreamExt::next(&mut socket.0).await.unwrap().unwrap();
    let Message::Close(Some(frame)) = closed else { panic!("{closed:?}") };
    assert_eq!(u16::from(frame.code), 1012);
}

#[tokio::test]
async fn a_list_that_cannot_be_read_closes_with_1012_before_a_hello_and_is_a_problem_after_one() {
    let store = FaultyStore::default();
    let world = World::with(store.clone(), |_| (), |_| ()).await;
    let list = Envelope::new("l", Payload::DmConversationListRequest(DmConversationListRequest {}));
    let mut seed = Socket::open(&world, 1).await;
    let (mut greeted, _) = Socket::hello(&world, 2, "phone").await;
    greeted.receive_caught_up().await;
    store.fail_lists(true);
    greeted.send_envelope(&list).await;
    assert_eq!(greeted.receive_problem("l").await.status, 503);
    greeted.receive_nothing_more().await;
    seed.send_envelope(&list).await;
    let closed = futures_util::StreamExt::next(&mut seed.0).await;
    let Some(Ok(Message::Close(Some(frame)))) = closed else { panic!("no close") };
    assert_eq!((u16::from(frame.code), frame.reason.as_str()), (1012, "unavailable"));
}
