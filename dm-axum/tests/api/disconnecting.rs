//! WebSockets are closed when the host disconnects their user or forgets their device.

use dm_core::DisconnectReason;

use crate::socket::Socket;
use crate::world::{World, user};

/// Maximum number of deliveries to a client that sent no hello and answers no ping.
const UNCONFIRMED: usize = 512;

#[tokio::test]
async fn a_host_that_disconnects_a_user_closes_their_sockets_with_the_code_of_the_reason() {
    for (reason, close) in [
        (DisconnectReason::Refused, (4003, "refused")),
        (DisconnectReason::SignedOut, (4001, "the session has ended")),
    ] {
        let world = World::new().await;
        let mut seed = Socket::open(&world, 2).await;
        let (mut phone, _) = Socket::hello(&world, 2, "phone").await;
        let (mut of_another, _) = Socket::hello(&world, 3, "phone").await;
        phone.receive_caught_up().await;
        of_another.receive_caught_up().await;
        let ended = world.dm.disconnect(user(2), None, reason).await;
        assert_eq!((ended.sessions, ended.is_complete()), (2, true));
        for socket in [&mut seed, &mut phone] {
            assert_eq!(socket.receive_close().await, (close.0, close.1.to_owned()));
        }
        world.open(1, 3).await;
        of_another.receive_delivery().await;
    }
}

#[tokio::test]
async fn a_socket_that_answers_no_ping_is_closed_as_soon_as_its_user_is_disconnected() {
    let world = World::new().await;
    let mut seed = Socket::open(&world, 2).await;
    let conversation = world.open(1, 2).await;
    // The notice of the conversation is one of the deliveries. The clock does not advance, so no
    // ping is sent.
    for _ in 1..UNCONFIRMED {
        world.send(1, &conversation, "x").await;
    }
    for _ in 0..UNCONFIRMED {
        seed.receive().await;
    }
    let ended = world.dm.disconnect(user(2), None, DisconnectReason::Refused).await;
    assert_eq!(ended.sessions, 1);
    assert_eq!(seed.receive_close().await, (4003, "refused".to_owned()));
}

#[tokio::test]
async fn a_forgotten_device_is_closed_with_4003_and_no_other() {
    let world = World::new().await;
    let (mut phone, _) = Socket::hello(&world, 2, "phone").await;
    let (mut desk, _) = Socket::hello(&world, 2, "desk").await;
    phone.receive_caught_up().await;
    desk.receive_caught_up().await;
    assert!(world.dm.forget_device(&user(2).into(), "phone".parse().unwrap()).await.unwrap());
    assert_eq!(phone.receive_close().await, (4003, "the device was forgotten".to_owned()));
    world.open(1, 2).await;
    desk.receive_delivery().await;
    let devices = world.dm.devices(&user(2).into()).await.unwrap();
    assert_eq!(devices.iter().map(|state| state.device.as_str()).collect::<Vec<_>>(), ["desk"]);
}
