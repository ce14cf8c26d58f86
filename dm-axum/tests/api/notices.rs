//! Entries about events that have no message on the wire, such as a host's own notices: seed clients
//! notice nothing, and clients after a hello get a position to acknowledge.

use dm_core::notify::Notifier as _;
use dm_core::store::{Notice, OtherNotice, Outcome, Post, Registration, Store as _, Write};
use dm_core::{Depth, MemoryStore, Principal, Timestamp};
use dm_proto::envelope::Payload;

use crate::socket::{Socket, until};
use crate::world::{SECOND, START, World, user};

/// Appends a notice of an unknown kind to user 2's inbox, for all devices or for a registration, and
/// hints at it.
async fn post(world: &World, store: &MemoryStore, addressee: Option<Registration>) {
    let notice = Notice::Other(OtherNotice::new(vec![200; Notice::MAX_LEN]).unwrap());
    let at = Timestamp::from_millis(START);
    let post = Post { to: user(2), addressee, origin: None, at, notice };
    let outcomes = store.commit(vec![Write::default().post(post)]).await.unwrap();
    let [Outcome::Done(done)] = &outcomes[..] else { panic!("{outcomes:?}") };
    world.hub.notify(&done.appended).await.unwrap();
}

async fn world() -> (World, MemoryStore, String) {
    let store = MemoryStore::new();
    let world = World::with(store.clone(), |_| (), |_| ()).await;
    let conversation = world.open(1, 2).await;
    (world, store, conversation)
}

#[tokio::test]
async fn after_a_hello_it_is_a_delivery_without_event_that_clients_acknowledge() {
    let (world, store, conversation) = world().await;
    post(&world, &store, None).await;
    let (mut socket, _) = Socket::hello(&world, 2, "phone").await;
    socket.receive_delivery().await;
    let pending = socket.receive_delivery().await;
    assert_eq!((pending.position, pending.at, pending.event), (2, START, None));
    assert_eq!(socket.receive_caught_up().await, 2);
    post(&world, &store, None).await;
    let live = socket.receive_delivery().await;
    assert_eq!((live.position, live.event), (3, None));
    socket.ack("a", 3, &[]).await;
    assert_eq!(socket.receive_acknowledged("a").await.up_to, 3);
    socket.close().await;

    let (mut socket, welcome) = Socket::hello(&world, 2, "phone").await;
    assert_eq!((welcome.cursor, socket.receive_caught_up().await), (3, 3));
    world.send(1, &conversation, "next").await;
    assert_eq!(socket.receive_text().await, (4, "next".to_owned()));
}

#[tokio::test]
async fn an_entry_for_one_device_is_not_delivered_to_the_others() {
    let (world, store, conversation) = world().await;
    let (mut phone, _) = Socket::hello(&world, 2, "phone").await;
    let (mut desk, _) = Socket::hello(&world, 2, "desk").await;
    for socket in [&mut phone, &mut desk] {
        socket.receive_delivery().await;
        socket.receive_caught_up().await;
    }
    let devices = world.dm.devices(&user(2).into()).await.unwrap();
    let desk_registration =
        devices.iter().find(|state| state.device.as_str() == "desk").unwrap().registration;
    post(&world, &store, Some(desk_registration)).await;
    world.send(1, &conversation, "for both").await;
    assert_eq!(phone.receive_text().await, (3, "for both".to_owned()));
    let addressed = desk.receive_delivery().await;
    assert_eq!((addressed.position, addressed.event), (2, None));
    assert_eq!(desk.receive_text().await, (3, "for both".to_owned()));
}

#[tokio::test]
async fn a_seed_client_gets_no_frame_and_no_message_for_it() {
    let (world, store, conversation) = world().await;
    let mut socket = Socket::open(&world, 2).await;
    post(&world, &store, None).await;
    world.send(1, &conversation, "next").await;
    let Some(Payload::DmMessageEvent(event)) = socket.receive().await.payload else { panic!() };
    assert_eq!(&event.message.unwrap().encrypted_payload[..], b"next");

    let (_, pending) = world.get(2, "offline").await;
    let messages = pending["messages"].as_array().unwrap();
    assert_eq!((messages.len(), &pending["has_more"]), (1, &false.into()));

    // An answered ping acknowledges both.
    world.clock.advance(SECOND);
    socket.receive_ping(true).await;
    let who = Principal::from(user(2));
    until(async || world.dm.depth(&who).await.unwrap() == Depth::default()).await;
}
