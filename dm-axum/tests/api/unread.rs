//! Clients that request answers and do not read them.

use dm_core::DisconnectReason;
use dm_proto::{DmHistoryRequest, Envelope, envelope::Payload, prost::Message as _};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::tungstenite::Message;

use crate::pool::PooledStore;
use crate::socket::{Socket, until};
use crate::world::{SECOND, World, user};

/// The number of requests of the client that does not read: the default maximum in progress.
const REQUESTS: usize = 32;

/// User 3 requests 14 MB of answers and reads none. They do not fit into the buffers of a socket.
async fn request_without_reading(world: &World) -> Socket {
    let large = world.open(2, 3).await;
    for _ in 0..7 {
        world.send(2, &large, &"x".repeat(64 * 1024)).await;
    }
    let mut silent = Socket::open(world, 3).await;
    for _ in 0..REQUESTS {
        let request = DmHistoryRequest { conversation_id: large.clone(), before_sequence: 0, limit: 0 };
        let envelope = Envelope::new("", Payload::DmHistoryRequest(request));
        silent.0.feed(Message::Binary(envelope.encode_to_vec().into())).await.unwrap();
    }
    silent.0.flush().await.unwrap();
    silent
}

#[tokio::test]
async fn requests_of_a_client_that_does_not_read_delay_no_reads_of_others() {
    let store = PooledStore::new(4);
    let world = World::with(store.clone(), |_| (), |options| options.max_message = 512 * 1024).await;
    let conversation = world.open(1, 2).await;
    world.send(1, &conversation, "small").await;
    let before = world.hub.connections();
    let _silent = request_without_reading(&world).await;

    // Other clients read without delay. The store also reads the pages for the silent client,
    // although this client reads no answers.
    let mut others = 0;
    until(async || {
        let (status, page) = world.get(1, &format!("messages/{conversation}")).await;
        assert_eq!((status, page["messages"].as_array().unwrap().len()), (200, 1));
        others += 1;
        store.history_reads() == REQUESTS + others
    })
    .await;

    // The connection of the silent client is open until `patience` is over.
    assert_eq!(world.hub.connections(), before + 1);
    until(async || {
        world.clock.advance(SECOND);
        world.hub.connections() == before
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_waits_for_its_client_to_read_ends_when_the_user_is_disconnected() {
    let store = PooledStore::new(4);
    let world = World::with(store.clone(), |_| (), |options| options.max_message = 512 * 1024).await;
    let mut silent = request_without_reading(&world).await;
    until(async || store.history_reads() == REQUESTS).await;
    // The clock does not advance, so `patience` does not end the connection.
    assert_eq!(world.dm.disconnect(user(3), None, DisconnectReason::Refused).await.sessions, 1);
    until(async || world.hub.connections() == 0).await;

    // The client gets the answers that were written before the close, and the reason of the close.
    let mut answers = 0;
    let close = loop {
        match silent.0.next().await.unwrap().unwrap() {
            Message::Binary(_) => answers += 1,
            Message::Close(close) => break close.unwrap(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(u16::from(close.code), 4003);
    assert!(answers < REQUESTS, "the connection was waiting for the client to read");
}

#[tokio::test]
async fn the_store_reads_no_larger_page_than_fits_into_a_frame() {
    const PAYLOAD: usize = 32 * 1024;
    const FRAME: usize = 128 * 1024;
    let store = PooledStore::new(1);
    let world = World::with(store.clone(), |_| (), |options| options.max_message = FRAME).await;
    let conversation = world.open(1, 2).await;
    for _ in 0..12 {
        world.send(1, &conversation, &"x".repeat(PAYLOAD)).await;
    }
    let mut socket = Socket::open(&world, 2).await;
    let request = DmHistoryRequest { conversation_id: conversation, before_sequence: 0, limit: 0 };
    socket.send_envelope(&Envelope::new("", Payload::DmHistoryRequest(request))).await;
    let page = loop {
        if let Some(Payload::DmHistoryResponse(page)) = socket.receive().await.payload {
            break page;
        }
    };
    assert_eq!((page.messages.len(), page.has_more), (3, true), "as many as fit into a frame");
    // The store ends a page with the message that exceeds the size of the frame.
    let read = store.largest_history();
    assert!(read <= FRAME + PAYLOAD + 1_024, "{read} bytes were read");
}

#[tokio::test]
async fn a_page_above_a_mebibyte_is_sent_if_the_host_allows_such_frames() {
    let large = 4 << 20;
    let store = PooledStore::new(1);
    let world =
        World::with(store, |config| config.history_bytes = large, |options| options.max_message = large)
            .await;
    let conversation = world.open(1, 2).await;
    for _ in 0..24 {
        world.send(1, &conversation, &"x".repeat(64 * 1024)).await;
    }
    let mut socket = Socket::open(&world, 2).await;
    let request = DmHistoryRequest { conversation_id: conversation, before_sequence: 0, limit: 0 };
    socket.send_envelope(&Envelope::new("", Payload::DmHistoryRequest(request))).await;
    let page = loop {
        if let Some(Payload::DmHistoryResponse(page)) = socket.receive().await.payload {
            break page;
        }
    };
    assert_eq!(page.messages.len(), 24, "a frame of 1.5 MiB");
}
