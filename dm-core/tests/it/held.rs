//! A future that is polled once and then held, without further polls, delays no other call.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dm_core::store::Store;
use dm_core::{
    AckTarget, Config, ConversationId, Delivery, Directory, DirectoryError, HistoryRange, MemoryStore,
    Profile, Service, Session, UserId,
};
use tokio::sync::Semaphore;

use crate::common::blocking::one_read_at_a_time;
use crate::common::gate::GatedStore;
use crate::common::{self, World, let_tasks_run, message, payload, poll_once, seq, user, who};

type Held = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A call of the service. Its second argument is the conversation of users 1 and 2.
type Call = fn(Service, ConversationId) -> Held;

/// Every call that reads the store, by its name.
const READS: [(&str, Call); 9] = [
    ("key", |dm, _| Box::pin(async move { drop(dm.key(user(1)).await) })),
    ("conversation", |dm, chat| Box::pin(async move { drop(dm.conversation(&who(1), chat).await) })),
    ("conversations", |dm, _| Box::pin(async move { drop(dm.conversations(&who(1), 10, None).await) })),
    ("history", |dm, chat| {
        Box::pin(async move { drop(dm.history(&who(1), chat, HistoryRange::Newest, 10).await) })
    }),
    ("pending", |dm, _| Box::pin(async move { drop(dm.pending(&who(1), Default::default()).await) })),
    ("devices", |dm, _| Box::pin(async move { drop(dm.devices(&who(1)).await) })),
    ("depth", |dm, _| Box::pin(async move { drop(dm.depth(&who(1)).await) })),
    ("connect", |dm, _| Box::pin(async move { drop(dm.connect(&who(1)).await) })),
    ("follow", |dm, _| Box::pin(async move { drop(dm.follow(&who(1)).await) })),
];

#[tokio::test]
async fn a_held_read_does_not_delay_other_reads() {
    let (store, gate) = one_read_at_a_time();
    let world = World::with(store, |_| ());
    let chat = world.open(1, 2).await;
    let mut session = world.connect(&who(2)).await;
    let next: Held = Box::pin(async move { drop(session.next().await) });
    let reads = READS.iter().map(|(name, read)| (*name, read(world.dm.clone(), chat)));
    for (name, mut held) in reads.chain([("next", next)]) {
        gate.close();
        let other = world.dm.clone();
        let other = tokio::spawn(async move { other.key(user(9)).await });
        gate.entered().await;
        assert!(poll_once(&mut held).await.is_none(), "{name} waits for the other read");
        gate.open();
        // The other read has ended, so the held read gets the permit, although nobody polls it.
        assert!(common::is_not_found(other.await.unwrap()));
        assert!(common::is_not_found(world.dm.key(user(9)).await), "{name}");
    }
}

#[tokio::test]
async fn a_read_that_is_dropped_while_it_waits_does_not_reach_the_store() {
    let (store, gate) = one_read_at_a_time();
    let world = World::with(store, |_| ());
    // The service reads the jobs that are due when it starts. One read runs at a time, so that one
    // has ended after this one.
    gate.entered().await;
    assert!(common::is_not_found(world.dm.key(user(9)).await));
    gate.close();
    let other = world.dm.clone();
    let other = tokio::spawn(async move { other.key(user(9)).await });
    gate.entered().await;
    let mut dropped = Box::pin(world.dm.key(user(1)));
    assert!(poll_once(&mut dropped).await.is_none());
    drop(dropped);
    let_tasks_run().await;
    gate.open();
    assert!(common::is_not_found(other.await.unwrap()));
    assert!(common::is_not_found(world.dm.key(user(9)).await));
    gate.entered().await;
    assert!(poll_once(&mut Box::pin(gate.entered())).await.is_none(), "two reads reached the gate in all");
}

#[tokio::test]
async fn a_session_continues_its_read_after_the_future_of_next_is_dropped() {
    let (store, gate) = one_read_at_a_time();
    let world = World::with(store, |_| ());
    world.open(1, 2).await;
    let mut session = world.connect(&who(2)).await;
    gate.close();
    for _ in 0..3 {
        assert!(poll_once(&mut Box::pin(session.next())).await.is_none());
        let_tasks_run().await;
    }
    gate.open();
    session.next().await.unwrap();
    gate.entered().await;
    assert!(poll_once(&mut Box::pin(gate.entered())).await.is_none(), "one read reached the gate");
}

/// A session with a window of one delivery. A notice is delivered and not acknowledged, so the
/// window is full. The next entry is the message `next`.
async fn with_a_full_window(store: impl Store) -> (World, ConversationId, Session) {
    let world = World::with(store, |config| {
        config.window = 1;
        // The service's own reads are less frequent.
        config.poll_interval = Duration::from_secs(5);
    });
    let chat = world.open(1, 2).await;
    world.send(&who(1), chat, "next").await;
    let mut session = world.connect(&who(2)).await;
    session.next().await.unwrap();
    (world, chat, session)
}

#[tokio::test]
async fn a_session_continues_its_cursor_read_after_the_future_of_next_is_dropped() {
    let (store, gate) = one_read_at_a_time();
    let (world, chat, mut session) = with_a_full_window(store).await;
    world.dm.acknowledge(&who(2), AckTarget::UpTo(seq(1))).await.unwrap();

    gate.close();
    assert!(poll_once(&mut Box::pin(session.next())).await.is_none(), "the timer runs");
    world.clock.advance(world.dm.config().poll_interval);
    for n in 0..3 {
        assert!(poll_once(&mut Box::pin(session.next())).await.is_none());
        if n == 0 {
            gate.entered().await;
        }
        let_tasks_run().await;
    }
    // A hint wakes the session.
    world.send(&who(1), chat, "after").await;
    assert!(poll_once(&mut Box::pin(session.next())).await.is_none());
    gate.open();
    let Delivery::Entry(entry) = session.next().await.unwrap() else { panic!("not an entry") };
    assert_eq!(common::texts([&entry]), ["next"]);
    let_tasks_run().await;
    assert!(poll_once(&mut Box::pin(gate.entered())).await.is_none(), "one read reached the gate");
}

#[tokio::test]
async fn an_acknowledgement_makes_room_while_the_cursor_read_hangs() {
    let (store, gate) = one_read_at_a_time();
    let (world, _, mut session) = with_a_full_window(store).await;
    gate.close();
    let handle = session.handle();
    let mut next = Box::pin(session.next());
    assert!(poll_once(&mut next).await.is_none(), "the timer runs");
    world.clock.advance(world.dm.config().poll_interval);
    assert!(poll_once(&mut next).await.is_none());
    gate.entered().await;
    handle.acknowledge(AckTarget::UpTo(seq(1))).await.unwrap();
    let Delivery::Entry(entry) = next.await.unwrap() else { panic!("not an entry") };
    assert_eq!(common::texts([&entry]), ["next"]);
    gate.open();
}

#[tokio::test]
async fn a_failed_cursor_read_ends_no_session_that_has_room() {
    let store = GatedStore::new();
    let (world, chat, mut session) = with_a_full_window(store.clone()).await;
    let handle = session.handle();
    store.hold_devices();
    let mut next = Box::pin(session.next());
    assert!(poll_once(&mut next).await.is_none(), "the timer runs");
    world.clock.advance(world.dm.config().poll_interval);
    assert!(poll_once(&mut next).await.is_none(), "it reads the cursor");
    let_tasks_run().await;
    handle.acknowledge(AckTarget::UpTo(seq(1))).await.unwrap();
    next.await.unwrap();

    store.release_devices(false);
    let_tasks_run().await;
    store.release_devices(true);
    let mut next = Box::pin(session.next());
    assert!(poll_once(&mut next).await.is_none());
    handle.acknowledge(AckTarget::UpTo(seq(2))).await.unwrap();
    assert_eq!(next.await.unwrap(), Delivery::CaughtUp { position: seq(2) });
    world.send(&who(1), chat, "after").await;
    assert_eq!(common::text(&mut session).await, "after");
}

/// A world whose commits are held and whose queue is full.
async fn full(change: fn(&mut Config)) -> (GatedStore, World, ConversationId) {
    let store = GatedStore::new();
    let world = World::with(store.clone(), |config| {
        config.max_payload = 1_000;
        change(config);
    });
    let chat = world.open(1, 2).await;
    let_tasks_run().await;
    store.hold_commits();
    for n in 0..8 {
        let dm = world.dm.clone();
        tokio::spawn(async move { dm.send(&who(1), message(chat, &text(n))).await });
    }
    let_tasks_run().await;
    (store, world, chat)
}

/// A number as a payload of 1,000 bytes.
fn text(n: usize) -> String {
    format!("{n:01000}")
}

async fn stored(world: &World, chat: ConversationId) -> Vec<usize> {
    let page = world.dm.history(&who(1), chat, HistoryRange::After(Default::default()), 100).await.unwrap();
    page.messages.iter().map(|message| payload(message).parse().unwrap()).collect()
}

#[tokio::test]
async fn a_held_send_in_a_full_queue_does_not_delay_other_sends() {
    for change in [(|config| config.queue_bytes = 4 * 1_064) as fn(&mut Config), |config| config.queue = 1] {
        let (store, world, chat) = full(change).await;
        let sender = who(1);
        let mut held: Vec<_> =
            (8..16).map(|n| Box::pin(world.dm.send(&sender, message(chat, &text(n))))).collect();
        for sending in &mut held {
            assert!(poll_once(sending).await.is_none());
        }
        store.release_commits();
        world.send(&who(2), chat, &text(16)).await;
        // The held sends were queued without a second poll, in the order of their first polls. All
        // of them precede the later send.
        assert_eq!(stored(&world, chat).await, (0..17).collect::<Vec<_>>());
        for sending in held {
            sending.await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_send_that_is_dropped_while_the_queue_is_full_is_not_stored_and_takes_no_room() {
    let (store, world, chat) = full(|config| config.queue_bytes = 4 * 1_064).await;
    let sender = who(1);
    for n in 8..16 {
        let mut dropped = Box::pin(world.dm.send(&sender, message(chat, &text(n))));
        assert!(poll_once(&mut dropped).await.is_none());
    }
    let_tasks_run().await;
    store.release_commits();
    for n in 16..32 {
        world.send(&who(2), chat, &text(n)).await;
    }
    assert_eq!(stored(&world, chat).await, (0..8).chain(16..32).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_send_does_not_overtake_sends_that_wait_for_room() {
    let store = GatedStore::new();
    let world = World::with(store.clone(), |config| {
        config.max_payload = 1_000;
        config.queue_bytes = 4 * 1_064;
    });
    let chat = world.open(1, 2).await;
    let_tasks_run().await;
    store.hold_commits();
    let dm = world.dm.clone();
    // This task makes its second send as soon as its first one is answered. At that time the task
    // of the send that gets the free room has not run.
    let last = tokio::spawn(async move {
        dm.send(&who(1), message(chat, &text(0))).await.unwrap();
        dm.send(&who(1), message(chat, "5")).await.unwrap();
    });
    let_tasks_run().await;
    let sender = who(1);
    let texts = [text(1), text(2), text(3), "4".to_owned()];
    let mut waiting = texts.map(|text| Box::pin(world.dm.send(&sender, message(chat, &text))));
    for sending in &mut waiting {
        assert!(poll_once(sending).await.is_none());
    }
    store.release_commits();
    last.await.unwrap();
    for sending in waiting {
        sending.await.unwrap();
    }
    assert_eq!(stored(&world, chat).await, (0..6).collect::<Vec<_>>());
}

/// A directory whose calls take a lock of the host.
struct Locked(Arc<Semaphore>);

#[async_trait]
impl Directory for Locked {
    async fn profiles(&self, users: &[UserId]) -> Result<Vec<Option<Profile>>, DirectoryError> {
        let _lock = self.0.acquire().await.unwrap();
        tokio::task::yield_now().await;
        Ok(users.iter().map(|_| Some(Profile { display_name: String::new() })).collect())
    }
}

#[tokio::test]
async fn a_held_call_of_the_directory_keeps_no_lock_of_the_host() {
    let directory = Locked(Arc::new(Semaphore::new(1)));
    let dm = Service::builder(MemoryStore::new()).directory(directory).start().unwrap();
    let sender = who(1);
    let mut opening = Box::pin(dm.open_conversation(&sender, user(2)));
    let mut asking = Box::pin(dm.profiles(vec![user(2)]));
    assert!(poll_once(&mut opening).await.is_none());
    assert!(poll_once(&mut asking).await.is_none());
    assert!(dm.open_conversation(&who(3), user(4)).await.unwrap().created);
    assert!(opening.await.unwrap().created);
}
