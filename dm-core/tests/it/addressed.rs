//! Entries that are addressed to one registration of a device: who gets them, and who passes them
//! over.

use dm_core::notify::{Notifier, Reach, SeqHint};
use dm_core::store::{InboxSeq, Outcome, Post, Registration, Store, Write};
use dm_core::{
    AckTarget, Delivery, DisconnectReason, Event, InboxEntry, MemoryStore, Notice, OtherNotice, Principal,
    Session, SessionEnd,
};

use crate::common::{START, World, backlog, let_tasks_run, on, poll_once, seq, user};

/// User 1 on a phone and a desk, both connected.
struct Devices {
    world: World,
    store: MemoryStore,
    phone: Principal,
    desk: Principal,
}

impl Devices {
    fn new() -> Self {
        let store = MemoryStore::new();
        let world = World::with(store.clone(), |config| config.window = 2);
        Self { world, store, phone: on(1, "phone"), desk: on(1, "desk") }
    }

    /// A session of a device that has delivered what was pending.
    async fn connect(&self, who: &Principal) -> Session {
        let mut session = self.world.connect(who).await;
        backlog(&mut session).await;
        session
    }

    async fn registration(&self, who: &Principal) -> Registration {
        let devices = self.world.dm.devices(who).await.unwrap();
        devices.into_iter().find(|state| state.device == who.device).unwrap().registration
    }

    /// Appends an entry of a kind to the inbox of user 1. Returns the entry, of which nobody has a
    /// hint yet.
    async fn post(&self, addressee: Option<Registration>, kind: u8) -> dm_core::notify::Notification {
        let notice = Notice::Other(OtherNotice::new(vec![kind]).unwrap());
        let write = Write::default().post(Post { to: user(1), addressee, origin: None, at: START, notice });
        match self.store.commit(vec![write]).await.unwrap().remove(0) {
            Outcome::Done(mut done) => done.appended.remove(0),
            Outcome::Refused(refusal) => panic!("{refusal:?}"),
        }
    }
}

fn kind(entry: &InboxEntry) -> Option<u8> {
    match &entry.event {
        Event::Notice(Notice::Other(other)) => other.bytes().first().copied(),
        _ => None,
    }
}

/// The kinds of the entries that a session delivers now.
async fn delivered(session: &mut Session) -> Vec<u8> {
    let mut kinds = Vec::new();
    loop {
        let_tasks_run().await;
        match poll_once(&mut Box::pin(session.next())).await {
            Some(Ok(Delivery::Entry(entry))) => kinds.extend(kind(&entry)),
            Some(Ok(_)) => {}
            Some(Err(end)) => panic!("{end}"),
            None => return kinds,
        }
    }
}

#[tokio::test]
async fn an_entry_for_one_device_reaches_its_live_session_and_no_other() {
    let devices = Devices::new();
    let mut phone = devices.connect(&devices.phone).await;
    let mut desk = devices.connect(&devices.desk).await;
    let mut follower = devices.world.dm.follow(&devices.phone).await.unwrap();
    let to_phone = devices.post(Some(devices.registration(&devices.phone).await), 200).await;
    let to_all = devices.post(None, 201).await;
    devices.world.hub.notify(&[to_phone, to_all]).await.unwrap();
    assert_eq!(delivered(&mut phone).await, [200, 201]);
    for session in [&mut desk, &mut follower] {
        assert_eq!(delivered(session).await, [201]);
        assert_eq!(session.position(), seq(2));
    }
}

#[tokio::test]
async fn sessions_that_read_the_store_deliver_the_same_entries_as_from_hints() {
    let devices = Devices::new();
    for who in [&devices.phone, &devices.desk] {
        drop(devices.connect(who).await);
    }
    let mut follower = devices.world.dm.follow(&devices.phone).await.unwrap();
    let registration = devices.registration(&devices.phone).await;
    devices.post(Some(registration), 200).await;
    devices.post(None, 201).await;
    // The hints were lost, and the hub says so.
    devices.world.hub.recheck(user(1));
    let mut phone = devices.world.connect(&devices.phone).await;
    let mut desk = devices.world.connect(&devices.desk).await;
    assert_eq!(delivered(&mut phone).await, [200, 201]);
    assert_eq!(delivered(&mut desk).await, [201]);
    assert_eq!(delivered(&mut follower).await, [201]);
    // A hint with the number only does not say whom the entry is for.
    let entry = devices.post(Some(registration), 202).await.entry;
    devices.world.hub.hint(&SeqHint { user: user(1), seq: entry.seq, origin: None });
    phone.handle().acknowledge(AckTarget::UpTo(seq(2))).await.unwrap();
    assert_eq!(delivered(&mut phone).await, [202]);
    for session in [&mut desk, &mut follower] {
        assert!(delivered(session).await.is_empty());
        assert_eq!(session.position(), entry.seq);
    }
}

#[tokio::test]
async fn entries_for_other_devices_take_no_room_in_the_window_and_hold_up_no_cursor() {
    let devices = Devices::new();
    let mut phone = devices.connect(&devices.phone).await;
    let mut desk = devices.connect(&devices.desk).await;
    let to_phone = Some(devices.registration(&devices.phone).await);
    for n in 1..=300 {
        let hint = devices.post(to_phone, 200).await;
        devices.world.hub.notify(&[hint]).await.unwrap();
        assert!(delivered(&mut desk).await.is_empty());
        assert_eq!(desk.position(), seq(n));
    }
    // After many of them the session moves the cursor of its own accord.
    let cursors = devices.world.dm.devices(&devices.desk).await.unwrap();
    let cursor = |who: &Principal| cursors.iter().find(|state| state.device == who.device).unwrap().cursor;
    assert!(cursor(&devices.desk) >= seq(256), "{cursors:?}");
    assert_eq!(cursor(&devices.phone), InboxSeq::ZERO);
    assert_eq!(delivered(&mut phone).await.len(), 2, "the window of the phone is full");
}

#[tokio::test]
async fn a_session_gets_no_entry_for_a_device_that_was_registered_later_under_its_name() {
    let devices = Devices::new();
    let mut old = devices.connect(&devices.phone).await;
    let first = devices.registration(&devices.phone).await;
    // The device is forgotten and registered again on another node, whose request to end this
    // session is lost.
    let other_node = World::with(devices.store.clone(), |_| ());
    assert!(other_node.dm.forget_device(&devices.phone, devices.phone.device.clone()).await.unwrap());
    let mut new = other_node.connect(&devices.phone).await;
    let second = devices.registration(&devices.phone).await;
    assert_ne!(first, second);
    let hint = devices.post(Some(second), 200).await;
    for world in [&devices.world, &other_node] {
        world.hub.notify(std::slice::from_ref(&hint)).await.unwrap();
        world.hub.recheck(user(1));
    }
    assert!(delivered(&mut old).await.is_empty());
    assert_eq!(delivered(&mut new).await, [200]);
    // The old session ends at the next poll after its window is full.
    for kind in [201, 202] {
        devices.post(None, kind).await;
    }
    devices.world.hub.recheck(user(1));
    assert_eq!(delivered(&mut old).await, [201, 202]);
    devices.world.clock.advance(devices.world.dm.config().poll_interval);
    let end = poll_once(&mut Box::pin(old.next())).await.map(Result::unwrap_err);
    assert!(matches!(end, Some(SessionEnd::Disconnected(DisconnectReason::DeviceForgotten))), "{end:?}");
}

#[tokio::test]
async fn a_hint_reaches_a_user_only_if_the_addressed_device_is_connected() {
    let devices = Devices::new();
    drop(devices.connect(&devices.phone).await);
    let _desk = devices.connect(&devices.desk).await;
    let _follower = devices.world.dm.follow(&devices.phone).await.unwrap();
    let mut reached = Vec::new();
    for who in [&devices.phone, &devices.desk] {
        let hint = devices.post(Some(devices.registration(who).await), 200).await;
        reached.extend(devices.world.hub.notify(&[hint]).await.unwrap());
    }
    assert_eq!(reached, [Reach::Absent, Reach::Connected]);
}
