//! Acknowledgements on connections after a hello, and their effect on deliveries.

use dm_core::Principal;
use dm_core::store::StoreErrorKind;
use dm_proto::{
    DmAck, DmAcknowledged, Envelope, dm_client_frame, dm_delivery::Event, dm_server_frame::Frame,
};

use crate::faults::FaultyStore;
use crate::socket::{Socket, until};
use crate::world::{World, user};

/// Opens a conversation of users 1 and 2 and sends messages, until user 2's inbox has entries up to
/// a position. Entry 1 is the notice of the conversation. The payload of each message is its
/// position.
async fn with_backlog(world: &World, up_to: u64) -> String {
    let conversation = world.open(1, 2).await;
    for position in 2..=up_to {
        world.send(1, &conversation, &position.to_string()).await;
    }
    conversation
}

/// Connects user 2's phone and receives its backlog. Returns the position and the message id of
/// each entry; the id is empty for a notice.
async fn catch_up(world: &World) -> (Socket, Vec<(u64, String)>) {
    let (mut socket, _) = Socket::hello(world, 2, "phone").await;
    let mut received = Vec::new();
    loop {
        match socket.receive_server().await.1 {
            Frame::Delivery(delivery) => {
                let id = match delivery.event {
                    Some(Event::Message(event)) => event.message.unwrap().id,
                    _ => String::new(),
                };
                received.push((delivery.position, id));
            }
            Frame::CaughtUp(_) => return (socket, received),
            other => panic!("{other:?}"),
        }
    }
}

/// Receives a message. Returns its position and id.
async fn receive_message(socket: &mut Socket) -> (u64, String) {
    let delivery = socket.receive_delivery().await;
    let Some(Event::Message(event)) = delivery.event else { panic!("{delivery:?}") };
    (delivery.position, event.message.unwrap().id)
}

fn positions(received: &[(u64, String)]) -> Vec<u64> {
    received.iter().map(|(position, _)| *position).collect()
}

/// The number of messages that are pending for user 2's phone.
async fn depth(world: &World) -> u64 {
    let phone = Principal::new(user(2), "phone".parse().unwrap());
    world.dm.depth(&phone).await.unwrap().messages
}

fn acknowledged(up_to: u64, acknowledged: u32, unknown: u32) -> DmAcknowledged {
    DmAcknowledged { up_to, acknowledged, unknown }
}

#[tokio::test]
async fn unacknowledged_entries_are_delivered_again_once_on_the_next_connection() {
    let world = World::new().await;
    with_backlog(&world, 5).await;
    let (mut socket, received) = catch_up(&world).await;
    assert_eq!(positions(&received), [1, 2, 3, 4, 5]);
    socket.ack("up to", 2, &[]).await;
    assert_eq!(socket.receive_acknowledged("up to").await, acknowledged(2, 2, 0));
    socket.ack("with a hole", 0, &[&received[3].1]).await;
    assert_eq!(socket.receive_acknowledged("with a hole").await, acknowledged(2, 1, 0));
    // The client disconnects without a closing frame.
    drop(socket);

    let (mut socket, received) = catch_up(&world).await;
    assert_eq!(positions(&received), [3, 5]);
    socket.receive_nothing_more().await;
    socket.ack("rest", 5, &[]).await;
    assert_eq!(socket.receive_acknowledged("rest").await, acknowledged(5, 3, 0));
    socket.close().await;
    assert_eq!(catch_up(&world).await.1, []);
}

#[tokio::test]
async fn acknowledging_repeated_and_unknown_ids_succeeds_and_counts_them() {
    let world = World::new().await;
    with_backlog(&world, 3).await;
    let foreign = world.open(1, 3).await;
    let foreign = world.send(1, &foreign, "not theirs").await["id"].as_str().unwrap().to_owned();
    let (mut socket, received) = catch_up(&world).await;
    let (known, none) = (&*received[1].1, "0190b6a0-0000-7000-8000-000000000001");
    let table: [(_, &[&str], _); 6] = [
        // The notice of the conversation (entry 1) has no message id. The acknowledgement of the
        // message after it also acknowledges the notice, so the cursor moves to 2.
        (0, &[known, none, &foreign], acknowledged(2, 1, 2)),
        (0, &[known], acknowledged(2, 1, 0)),
        (1, &[], acknowledged(2, 0, 0)),
        (1, &[none], acknowledged(2, 0, 1)),
        (3, &[known], acknowledged(3, 2, 0)),
        (2, &[], acknowledged(3, 0, 0)),
    ];
    for (up_to, ids, expected) in table {
        socket.ack("a", up_to, ids).await;
        assert_eq!(socket.receive_acknowledged("a").await, expected, "{up_to} {ids:?}");
    }
    assert_eq!(depth(&world).await, 0);
}

#[tokio::test]
async fn an_invalid_acknowledgement_is_refused_and_acknowledges_nothing() {
    let world = World::new().await;
    with_backlog(&world, 3).await;
    let (mut socket, received) = catch_up(&world).await;
    let known = &*received[1].1;
    let many = vec![known; 1_001];
    let table: [(u64, &[&str], _); 6] = [
        (4, &[], (422, "up_to")),
        (4, &[known], (422, "up_to")),
        (u64::MAX, &[], (422, "up_to")),
        (0, &[], (400, "up_to")),
        (3, &[known, "no id"], (400, "message_ids")),
        (3, &many, (413, "message_ids")),
    ];
    for (up_to, ids, expected) in table {
        socket.ack("a", up_to, ids).await;
        let problem = socket.receive_problem("a").await;
        assert_eq!((problem.status, &*problem.field), expected, "{up_to} {}", ids.len());
        assert_eq!(depth(&world).await, 2);
    }
    drop(socket);
    assert_eq!(positions(&catch_up(&world).await.1), [1, 2, 3]);
}

#[tokio::test]
async fn waiting_acknowledgements_are_stored_in_one_write() {
    let store = FaultyStore::default();
    let world = World::with(store.clone(), |_| (), |_| ()).await;
    with_backlog(&world, 4).await;
    let (mut socket, _) = catch_up(&world).await;
    let writes = store.writes();
    store.hold_commits(true);
    socket.ack("1", 1, &[]).await;
    until(async || store.writes() == writes + 1).await;
    for (id, up_to) in [("2", 2), ("3", 4), ("4", 3)] {
        socket.ack(id, up_to, &[]).await;
    }
    // After this answer, the server has read all requests.
    socket.receive_nothing_more().await;
    store.hold_commits(false);
    assert_eq!(socket.receive_acknowledged("1").await, acknowledged(1, 1, 0));
    assert_eq!(socket.receive_acknowledged("2").await, acknowledged(4, 0, 0));
    assert_eq!(socket.receive_acknowledged("3").await, acknowledged(4, 0, 0));
    assert_eq!(socket.receive_acknowledged("4").await, acknowledged(4, 3, 0));
    assert_eq!(store.writes(), writes + 2);
}

#[tokio::test]
async fn an_acknowledgement_after_a_refused_one_is_stored() {
    let store = FaultyStore::default();
    let world = World::with(store.clone(), |_| (), |_| ()).await;
    with_backlog(&world, 4).await;
    let (mut socket, _) = catch_up(&world).await;
    let writes = store.writes();
    store.hold_commits(true);
    socket.ack("held", 1, &[]).await;
    until(async || store.writes() == writes + 1).await;
    socket.ack("beyond", 99, &[]).await;
    socket.ack("good", 3, &[]).await;
    socket.receive_nothing_more().await;
    store.hold_commits(false);
    socket.receive_acknowledged("held").await;
    assert_eq!(socket.receive_problem("beyond").await.status, 422);
    assert_eq!(socket.receive_acknowledged("good").await, acknowledged(3, 2, 0));
}

#[tokio::test]
async fn an_acknowledgement_that_fails_in_the_store_is_a_problem_and_may_be_repeated() {
    let store = FaultyStore::default();
    let world = World::with(store.clone(), |_| (), |_| ()).await;
    with_backlog(&world, 2).await;
    let (mut socket, _) = catch_up(&world).await;
    store.fail_next(StoreErrorKind::Unavailable);
    socket.ack("fails", 2, &[]).await;
    assert_eq!(socket.receive_problem("fails").await.status, 503);
    assert_eq!(depth(&world).await, 1);
    socket.ack("again", 2, &[]).await;
    assert_eq!(socket.receive_acknowledged("again").await, acknowledged(2, 2, 0));
}

#[tokio::test]
async fn deliveries_stop_at_the_window_and_continue_after_acknowledgements() {
    let world = World::configured(|config| config.window = 2).await;
    let conversation = with_backlog(&world, 6).await;
    let (mut socket, welcome) = Socket::hello(&world, 2, "phone").await;
    assert_eq!((welcome.window, socket.receive_delivery().await.position), (2, 1));
    assert_eq!(socket.receive_text().await.0, 2);
    socket.receive_nothing_more().await;
    socket.ack("one", 1, &[]).await;
    socket.receive_acknowledged("one").await;
    let (position, id) = receive_message(&mut socket).await;
    assert_eq!(position, 3);
    socket.receive_nothing_more().await;
    // An acknowledged entry after an unacknowledged one does not count for the window either.
    socket.ack("by id", 0, &[&id]).await;
    socket.receive_acknowledged("by id").await;
    assert_eq!(socket.receive_text().await.0, 4);
    socket.receive_nothing_more().await;
    socket.ack("all", 4, &[]).await;
    socket.receive_acknowledged("all").await;
    assert_eq!((socket.receive_text().await.0, socket.receive_text().await.0), (5, 6));
    socket.receive_nothing_more().await;
    // A full window does not delay the requests of the client, nor the deliveries to another
    // device.
    assert_eq!(socket.list("l").await.conversations.len(), 1);
    let (mut laptop, _) = Socket::hello(&world, 2, "laptop").await;
    assert_eq!(laptop.receive_delivery().await.position, 1);
    world.send(1, &conversation, "live").await;
    socket.ack("rest", 6, &[]).await;
    socket.receive_acknowledged("rest").await;
    let mut received = [socket.receive_server().await.1, socket.receive_server().await.1];
    received.sort_by_key(|frame| matches!(frame, Frame::CaughtUp(_)));
    assert!(matches!(&received[0], Frame::Delivery(delivery) if delivery.position == 7), "{received:?}");
    assert!(matches!(received[1], Frame::CaughtUp(_)), "{received:?}");
}

#[tokio::test]
async fn a_hundred_thousand_empty_ids_are_refused_and_the_connection_stays_open() {
    let world = World::new().await;
    with_backlog(&world, 2).await;
    let (mut socket, _) = catch_up(&world).await;
    let ack = DmAck { up_to: 0, message_ids: vec![String::new(); 100_000] };
    socket.send_envelope(&Envelope::client("a", dm_client_frame::Frame::Ack(ack))).await;
    assert_eq!(socket.receive_problem("a").await.status, 413);
    socket.ack("b", 2, &[]).await;
    assert_eq!(socket.receive_acknowledged("b").await, acknowledged(2, 2, 0));
}
