//! Requests to end sessions, and the sessions of a forgotten device.

use dm_core::notify::{NodeId, NullNotifier};
use dm_core::{AckTarget, DisconnectReason, DisconnectReport, MemoryStore, Service, SessionEnd};

use crate::common::gate::GatedStore;
use crate::common::{World, backlog, is_not_found, let_tasks_run, on, poll_once, seq, user, who};

/// A world whose notifier reaches no session.
fn without_notifier(change: impl FnOnce(&mut dm_core::Config)) -> World {
    World::notifying(MemoryStore::new(), |_| NullNotifier, change)
}

fn is_forgotten<T>(end: &Result<T, SessionEnd>) -> bool {
    matches!(end, Err(SessionEnd::Disconnected(DisconnectReason::DeviceForgotten)))
}

async fn devices(dm: &Service, n: u64) -> Vec<String> {
    let devices = dm.devices(&who(n)).await.unwrap();
    devices.into_iter().map(|state| state.device.to_string()).collect()
}

#[tokio::test]
async fn a_host_ends_sessions_through_the_service_and_learns_which_nodes_confirmed() {
    let world = World::new();
    let (mut phone, mut desk) = (world.connect(&on(2, "phone")).await, world.connect(&on(2, "desk")).await);
    let mut follower = world.dm.follow(&on(2, "phone")).await.unwrap();
    let mut of_another = world.connect(&who(3)).await;
    backlog(&mut of_another).await;
    let one_node =
        |sessions| DisconnectReport { sessions, confirmed: vec![world.hub.node()], expected: Some(1) };

    let device = Some("phone".parse().unwrap());
    let ended = world.dm.disconnect(user(2), device, DisconnectReason::SignedOut).await;
    assert_eq!(ended, one_node(2));
    assert!(ended.is_complete());
    for session in [&mut phone, &mut follower] {
        let end = session.next().await;
        assert!(matches!(end, Err(SessionEnd::Disconnected(DisconnectReason::SignedOut))));
    }
    assert_eq!(world.dm.disconnect(user(2), None, DisconnectReason::Refused).await, one_node(1));
    assert!(matches!(desk.next().await, Err(SessionEnd::Disconnected(DisconnectReason::Refused))));
    assert_eq!(world.dm.disconnect(user(2), None, DisconnectReason::Refused).await, one_node(0));
    assert!(poll_once(&mut Box::pin(of_another.next())).await.is_none());
}

#[test]
fn a_report_is_complete_only_if_every_node_is_known_to_have_confirmed() {
    let node = NodeId::from_bytes([7; 8]);
    let known = |confirmed: usize, expected| DisconnectReport {
        sessions: 0,
        confirmed: vec![node; confirmed],
        expected,
    };
    assert!(known(2, Some(2)).is_complete() && known(3, Some(2)).is_complete());
    assert!(!known(1, Some(2)).is_complete());
    assert!(!known(5, None).is_complete(), "the number of nodes is not known");
    assert_eq!(node.to_string(), "0707070707070707");
}

#[tokio::test]
async fn forgetting_a_device_ends_its_sessions_and_no_others() {
    let world = World::new();
    let (mut phone, mut desk) = (world.connect(&on(2, "phone")).await, world.connect(&on(2, "desk")).await);
    backlog(&mut desk).await;
    assert!(world.dm.forget_device(&on(2, "desk"), "phone".parse().unwrap()).await.unwrap());
    assert!(is_forgotten(&phone.next().await));
    assert!(poll_once(&mut Box::pin(desk.next())).await.is_none());
    assert_eq!(devices(&world.dm, 2).await, ["desk"]);
}

#[tokio::test]
async fn a_second_forget_ends_a_session_that_the_first_one_did_not_reach() {
    let store = MemoryStore::new();
    let world = World::with(store.clone(), |_| ());
    let mut phone = world.connect(&on(2, "phone")).await;
    // Another node stores the first call. Its request does not reach the session of this node.
    let other = Service::builder(store).start().unwrap();
    assert!(other.forget_device(&who(2), "phone".parse().unwrap()).await.unwrap());
    assert!(!world.dm.forget_device(&who(2), "phone".parse().unwrap()).await.unwrap());
    assert!(is_forgotten(&phone.next().await));
}

#[tokio::test]
async fn a_session_that_no_request_reached_ends_at_its_acknowledgement_and_registers_no_device() {
    let world = without_notifier(|_| ());
    world.open(1, 2).await;
    let mut session = world.connect(&who(2)).await;
    session.next().await.unwrap();
    world.dm.forget_device(&who(2), who(2).device).await.unwrap();
    let handle = session.handle();
    assert!(is_not_found(handle.acknowledge(AckTarget::UpTo(seq(1))).await));
    assert!(is_forgotten(&session.next().await));
    assert_eq!(devices(&world.dm, 2).await, [""; 0]);
}

#[tokio::test]
async fn a_session_that_no_request_reached_ends_when_its_window_is_full() {
    let world = without_notifier(|config| config.window = 1);
    world.open(1, 2).await;
    let mut session = world.connect(&who(2)).await;
    session.next().await.unwrap();
    world.dm.forget_device(&who(2), who(2).device).await.unwrap();
    let mut waiting = Box::pin(session.next());
    assert!(poll_once(&mut waiting).await.is_none());
    world.clock.advance(world.dm.config().poll_interval);
    assert!(is_forgotten(&waiting.await));
}

#[tokio::test]
async fn forgetting_a_device_ends_its_sessions_even_if_the_caller_drops_the_call() {
    let store = GatedStore::new();
    let world = World::with(store.clone(), |_| ());
    let mut session = world.connect(&who(2)).await;
    backlog(&mut session).await;
    store.hold_commits();
    let caller = who(2);
    let mut forgetting = Box::pin(world.dm.forget_device(&caller, caller.device.clone()));
    assert!(poll_once(&mut forgetting).await.is_none());
    let_tasks_run().await;
    drop(forgetting);
    store.release_commits();
    assert!(is_forgotten(&session.next().await));
    assert_eq!(devices(&world.dm, 2).await, [""; 0]);
}
