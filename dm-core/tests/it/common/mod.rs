//! Helpers of the tests: users, a service with its parts, and stores and notifiers that a test
//! controls.

#![allow(unreachable_pub, clippy::needless_pass_by_value, reason = "tests")]

pub mod blocking;
pub mod engine;
pub mod gate;
pub mod held_hints;

use std::future::Future;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use curve25519_dalek::{EdwardsPoint, Scalar};
use dm_core::entropy::SeededEntropy;
use dm_core::notify::Notifier;
use dm_core::store::Store;
use dm_core::time::ManualClock;
use dm_core::{
    Ciphertext, ClientMessageId, Config, ConversationId, Delivery, Error, Event, Hub, InboxEntry, InboxSeq,
    MemoryStore, Message, Principal, SendMessage, Sent, Service, Session, Timestamp, UserId, X25519Key,
};

pub const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The test user with this number. Different numbers give different users.
pub fn user(n: u64) -> UserId {
    UserId::from_bytes(EdwardsPoint::mul_base(&Scalar::from(n + 1)).compress().to_bytes()).unwrap()
}

/// The key derived from the identity key of user `n`.
pub fn derived_key(n: u64) -> X25519Key {
    let point = EdwardsPoint::mul_base(&Scalar::from(n + 1));
    X25519Key::from_bytes(point.to_montgomery().to_bytes()).unwrap()
}

/// User `n` on the default device.
pub fn who(n: u64) -> Principal {
    user(n).into()
}

/// User `n` on a named device.
pub fn on(n: u64, device: &str) -> Principal {
    Principal::new(user(n), device.parse().unwrap())
}

pub fn ciphertext(payload: &str) -> Ciphertext {
    Ciphertext::new(Bytes::copy_from_slice(payload.as_bytes()), &[7; 24], None, None).unwrap()
}

pub fn message(conversation: ConversationId, payload: &str) -> SendMessage {
    SendMessage::new(conversation, ciphertext(payload), Timestamp::from_millis(5))
}

pub fn client_id(n: u8) -> ClientMessageId {
    ClientMessageId::from_bytes([n; 16])
}

/// A service with its hub and a manual clock.
pub struct World {
    pub dm: Service,
    pub hub: Hub,
    pub clock: ManualClock,
}

impl World {
    pub fn new() -> Self {
        Self::with(MemoryStore::new(), |_| ())
    }

    pub fn configured(change: impl FnOnce(&mut Config)) -> Self {
        Self::with(MemoryStore::new(), change)
    }

    pub fn with(store: impl Store, change: impl FnOnce(&mut Config)) -> Self {
        Self::notifying(store, |hub| hub, change)
    }

    /// A world with another notifier than the service's hub. `notifier` gets the hub, to pass hints
    /// on to.
    pub fn notifying<N: Notifier>(
        store: impl Store,
        notifier: impl FnOnce(Hub) -> N,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let clock = ManualClock::new(START);
        let mut config = Config::default();
        change(&mut config);
        let builder = Service::builder(store);
        let notifier = notifier(builder.hub());
        let dm = builder
            .notifier(notifier)
            .clock(clock.clone())
            .entropy(SeededEntropy::new(1))
            .config(config)
            .start()
            .unwrap();
        Self { hub: dm.hub().clone(), dm, clock }
    }

    /// Opens the conversation of two users.
    pub async fn open(&self, one: u64, other: u64) -> ConversationId {
        self.dm.open_conversation(&who(one), user(other)).await.unwrap().conversation.id
    }

    pub async fn send(&self, from: &Principal, to: ConversationId, payload: &str) -> Sent {
        self.dm.send(from, message(to, payload)).await.unwrap()
    }

    /// Sends `count` messages named `1`, `2`, …
    pub async fn send_many(&self, from: &Principal, to: ConversationId, count: usize) {
        for n in 1..=count {
            self.send(from, to, &n.to_string()).await;
        }
    }

    pub async fn connect(&self, who: &Principal) -> Session {
        self.dm.connect(who).await.unwrap()
    }

    /// All pending entries of a device. They are not acknowledged.
    pub async fn pending(&self, who: &Principal) -> Vec<InboxEntry> {
        self.dm.pending(who, Default::default()).await.unwrap().entries
    }
}

/// The deliveries of a session before [`Delivery::CaughtUp`], which is taken as well.
pub async fn backlog(session: &mut Session) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    loop {
        match session.next().await.unwrap() {
            Delivery::CaughtUp { .. } => return deliveries,
            delivery => deliveries.push(delivery),
        }
    }
}

/// The payload of the next delivery, which must be a message.
pub async fn text(session: &mut Session) -> String {
    match session.next().await.unwrap() {
        Delivery::Entry(entry) => payload(entry.message().expect("a message")),
        other => panic!("{other:?}"),
    }
}

pub fn payload(message: &Message) -> String {
    String::from_utf8(message.ciphertext.payload().to_vec()).unwrap()
}

/// The payloads of the messages among entries.
pub fn texts<'a>(entries: impl IntoIterator<Item = &'a InboxEntry>) -> Vec<String> {
    entries.into_iter().filter_map(|entry| entry.message()).map(|message| payload(message)).collect()
}

pub fn delivered_texts(deliveries: &[Delivery]) -> Vec<String> {
    texts(deliveries.iter().filter_map(|delivery| match delivery {
        Delivery::Entry(entry) => Some(entry),
        _ => None,
    }))
}

pub fn numbers(entries: &[InboxEntry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.seq.get()).collect()
}

pub fn is_message(entry: &InboxEntry) -> bool {
    matches!(entry.event, Event::Message(_))
}

pub fn seq(n: u64) -> InboxSeq {
    InboxSeq::new(n)
}

/// The output of a future if it is ready at the next poll. Tokio's budget of polls per task is
/// ignored, so the result does not depend on earlier polls.
pub async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    let mut future = tokio::task::unconstrained(future);
    std::future::poll_fn(|cx| match Pin::new(&mut future).poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Lets every other task of a current-thread runtime run until it waits.
pub async fn let_tasks_run() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}

pub fn is_not_found<T>(result: Result<T, Error>) -> bool {
    matches!(result, Err(Error::NotFound))
}
