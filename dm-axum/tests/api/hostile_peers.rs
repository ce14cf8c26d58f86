//! Clients that misbehave over time: they flood, stop reading, or never finish a frame.

use std::time::Duration;

use dm_core::Timestamp;
use dm_proto::{
    DmHistoryRequest, DmPing, Envelope, dm_client_frame, dm_server_frame, envelope::Payload,
    prost::Message as _,
};
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use crate::socket::{Socket, until};
use crate::world::{SECOND, START, World, user};

const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

async fn ping(socket: &mut Socket) {
    socket.0.send(Message::Ping(Bytes::from_static(b"x"))).await.unwrap();
    assert!(matches!(socket.0.next().await, Some(Ok(Message::Pong(_)))));
}

#[tokio::test]
async fn more_pings_than_allowed_close_with_1008() {
    let world = World::with_options(|options| options.client_pings = 5).await;
    world.open(1, 2).await;
    let before = world.stored().await;
    let mut socket = Socket::open(&world, 1).await;
    for _ in 0..3 {
        for _ in 0..5 {
            ping(&mut socket).await;
        }
        // A new interval begins, and the server sends a ping.
        world.clock.advance(30 * SECOND);
        socket.receive_ping(true).await;
        socket.list("alive").await;
    }
    for _ in 0..6 {
        socket.0.feed(Message::Ping(Bytes::new())).await.unwrap();
    }
    socket.0.flush().await.unwrap();
    assert_eq!(socket.receive_close().await, (1008, "too many pings".to_owned()));
    until(async || world.hub.connections() == 0).await;
    assert_eq!(world.stored().await, before);
    Socket::open(&world, 1).await;
}

#[tokio::test]
async fn pings_are_counted_per_interval_and_a_clock_set_back_starts_a_new_one() {
    let world = World::with_options(|options| options.client_pings = 5).await;
    let mut socket = Socket::open(&world, 1).await;
    for _ in 0..5 {
        ping(&mut socket).await;
        world.clock.advance(SECOND);
    }
    world.clock.set(Timestamp::from_millis(START - 1));
    for _ in 0..5 {
        ping(&mut socket).await;
        world.clock.advance(SECOND);
    }
    socket.0.send(Message::Ping(Bytes::new())).await.unwrap();
    assert_eq!(socket.receive_close().await, (1008, "too many pings".to_owned()));
}

#[tokio::test]
async fn each_of_a_thousand_ping_frames_is_answered_in_order() {
    let world = World::new().await;
    let (mut socket, _) = Socket::hello(&world, 1, "phone").await;
    socket.receive_caught_up().await;
    for nonce in 0..1_000 {
        let ping = Envelope::client("p", dm_client_frame::Frame::Ping(DmPing { nonce }));
        socket.0.feed(Message::Binary(ping.encode_to_vec().into())).await.unwrap();
    }
    socket.0.flush().await.unwrap();
    for nonce in 0..1_000 {
        let (_, dm_server_frame::Frame::Pong(pong)) = socket.receive_server().await else { panic!() };
        assert_eq!(pong.nonce, nonce);
    }
}

/// A world whose server sends no ping for a year. A client that does not read is then detected by
/// its unread frames and not by an unanswered ping.
async fn world_without_pings() -> World {
    World::with_options(|options| options.ping_interval = YEAR).await
}

/// Checks that two other clients can send and receive.
async fn assert_served(sender: &mut Socket, peer: &mut Socket, conversation: &str) {
    sender.send("s", conversation, "still here").await;
    sender.receive_sent("s").await;
    assert_eq!(peer.receive_text().await.1, "still here");
}

#[tokio::test]
async fn a_client_that_never_reads_answers_is_closed_and_others_are_served() {
    let world = world_without_pings().await;
    let conversation = world.open(1, 2).await;
    let large = world.open(2, 3).await;
    for _ in 0..3 {
        world.send(2, &large, &"x".repeat(64 * 1024)).await;
    }
    let mut others = Vec::new();
    for n in [1, 2] {
        let (mut socket, _) = Socket::hello(&world, n, "phone").await;
        while !matches!(socket.receive_server().await.1, dm_server_frame::Frame::CaughtUp(_)) {}
        others.push(socket);
    }
    let [sender, peer] = &mut others[..] else { panic!() };
    let before = world.hub.connections();

    // The client requests 20 MB of answers, which do not fit into the buffers of a socket.
    let mut silent = Socket::open(&world, 3).await;
    assert_eq!(world.hub.connections(), before + 1);
    for _ in 0..100 {
        let request = DmHistoryRequest { conversation_id: large.clone(), before_sequence: 0, limit: 0 };
        let envelope = Envelope::new("", Payload::DmHistoryRequest(request));
        silent.0.feed(Message::Binary(envelope.encode_to_vec().into())).await.unwrap();
    }
    silent.0.flush().await.unwrap();
    assert_served(sender, peer, &conversation).await;
    until(async || {
        world.clock.advance(SECOND);
        world.hub.connections() == before
    })
    .await;
    assert_served(sender, peer, &conversation).await;
    // The client gets only the answers that were in the buffers.
    let mut answers = 0;
    while let Some(Ok(Message::Binary(_))) = silent.0.next().await {
        answers += 1;
    }
    assert!(answers < 100, "{answers}");
}

#[tokio::test]
async fn a_client_that_never_reads_deliveries_is_closed_and_gets_them_on_the_next_connection() {
    let world = world_without_pings().await;
    let conversation = world.open(1, 2).await;
    let large = "x".repeat(64 * 1024);
    for _ in 0..200 {
        world.send(1, &conversation, &large).await;
    }
    let mut silent = Socket::open(&world, 2).await;
    silent.send_hello("h", "phone").await;
    until(async || {
        world.clock.advance(SECOND);
        world.dm.devices(&user(2).into()).await.unwrap().len() == 1 && world.hub.connections() == 0
    })
    .await;
    drop(silent);
    let (mut socket, welcome) = Socket::hello(&world, 2, "phone").await;
    assert_eq!((welcome.cursor, socket.receive_delivery().await.position), (0, 1));
    for position in 2..=201 {
        assert_eq!(socket.receive_text().await.0, position);
    }
    assert_eq!(socket.receive_caught_up().await, 201);
}

#[tokio::test]
async fn a_connection_with_a_frame_that_never_ends_is_closed() {
    let world = World::new().await;
    let mut socket = Socket::open(&world, 1).await;
    // The frame announces a hundred bytes, of which ten arrive.
    socket.write_raw(&[&[0x82, 0x80 | 100, 0, 0, 0, 0][..], &[0x0a; 10]].concat()).await;
    world.clock.advance(30 * SECOND);
    socket.receive_ping(false).await;
    socket.write_raw(&[0x0a]).await;
    world.clock.advance(10 * SECOND);
    assert_eq!(socket.receive_close().await, (1012, "a ping was not answered".to_owned()));
    until(async || world.hub.connections() == 0).await;
}
