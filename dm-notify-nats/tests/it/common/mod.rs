//! Helpers of the tests: nodes on one store and one bus, users, and clients of the bus.

#![allow(unreachable_pub, reason = "tests")]

use std::future::Future;
use std::time::{Duration, Instant};

use bytes::Bytes;
use curve25519_dalek::{EdwardsPoint, Scalar};
use dm_core::store::Store;
use dm_core::time::ManualClock;
use dm_core::{
    Ciphertext, ConversationId, Delivery, Hub, MemoryStore, Message, Principal, SendMessage, Service,
    ServiceBuilder, Session, Timestamp, UserId,
};
use dm_notify_nats::{HintKey, NatsConfig, NatsNotifier, NatsServers, Presence};
use dm_test_servers::nats::Server;
use futures_util::StreamExt as _;

/// The version of the frame format.
pub const VERSION: u8 = 4;

/// The time limit for an expected event.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// A node with its own hub, service and connection to the bus. Its clock stands still, so sessions
/// poll only when a test calls [`Node::poll`].
pub struct Node {
    pub dm: Service,
    pub hub: Hub,
    pub nats: NatsNotifier,
    pub clock: ManualClock,
}

impl Node {
    pub async fn new(store: &(impl Store + Clone), server: &Server) -> Self {
        Self::configured(store, &servers(server), &config()).await
    }

    pub async fn configured(
        store: &(impl Store + Clone),
        servers: &NatsServers,
        config: &NatsConfig,
    ) -> Self {
        let builder = Service::builder(store.clone());
        let nats = NatsNotifier::connect_with(&builder.hub(), servers, config).await.unwrap();
        Self::around(builder, nats)
    }

    pub fn around(builder: ServiceBuilder, nats: NatsNotifier) -> Self {
        let clock = ManualClock::new(Timestamp::from_millis(1_800_000_000_000));
        let dm = builder.notifier(nats.clone()).clock(clock.clone()).start().unwrap();
        Self { hub: dm.hub().clone(), dm, nats, clock }
    }

    pub async fn open(&self, one: u64, other: u64) -> ConversationId {
        self.dm.open_conversation(&who(one), user(other)).await.unwrap().conversation.id
    }

    pub async fn send(&self, from: &Principal, to: ConversationId, payload: &str) {
        self.dm.send(from, message(to, payload)).await.unwrap();
    }

    /// Connects, and returns the session after it has delivered all entries so far.
    pub async fn connect(&self, who: &Principal) -> Session {
        let mut session = self.dm.connect(who).await.unwrap();
        while !matches!(next(&mut session).await, Delivery::CaughtUp { .. }) {}
        session
    }

    /// Lets the poll interval pass, so that waiting sessions read the store.
    pub fn poll(&self) {
        self.clock.advance(self.dm.config().poll_interval);
    }

    /// Waits until the node is connected to the bus.
    pub async fn connected(&self) {
        wait_until("the node is on the bus", || self.nats.health().connected).await;
    }

    /// Waits until the server has received this many hints, and all other frames of the node.
    pub async fn flushed(&self, hints: u64) {
        wait_until("hints are published", || self.nats.stats().published >= hints).await;
        // The server itself answers this request, after it has received all earlier frames.
        assert_eq!(in_time("an answer", self.nats.presence(user(999))).await, Presence::Nowhere);
    }

    /// Waits until the node has received this many hints.
    pub async fn received(&self, hints: u64) {
        wait_until("hints are received", || self.nats.stats().received >= hints).await;
    }
}

/// The servers of a node, with a short ping interval.
pub fn servers(server: &Server) -> NatsServers {
    let mut servers = NatsServers::new([server.address()]);
    servers.ping_interval = Duration::from_millis(100);
    servers
}

/// A configuration with a key, with long time limits for replies.
pub fn config() -> NatsConfig {
    let mut config = without_key();
    config.keys = vec![key(7)];
    config
}

/// The configuration of [`config`] without a key.
pub fn without_key() -> NatsConfig {
    let mut config = NatsConfig::default();
    config.presence_timeout = TIME_LIMIT;
    config.confirm_timeout = TIME_LIMIT;
    config.heartbeat = Duration::from_millis(50);
    config
}

pub fn key(n: u8) -> HintKey {
    HintKey::from_bytes([n; HintKey::LEN])
}

/// Waits until each of some nodes has verified the others.
pub async fn wait_until_verified(nodes: &[&Node]) {
    let ids: Vec<_> = nodes.iter().map(|node| node.hub.node()).collect();
    let knows_all = |node: &&Node| {
        let peers = node.nats.health().peers.unwrap_or_default();
        ids.iter().all(|id| *id == node.hub.node() || peers.contains(id))
    };
    wait_until("the nodes have verified each other", || nodes.iter().all(knows_all)).await;
}

/// Two nodes on one store. They may not have verified each other yet.
pub async fn two_nodes(server: &Server) -> (Node, Node) {
    let store = MemoryStore::new();
    (Node::new(&store, server).await, Node::new(&store, server).await)
}

/// Two nodes on one store that have verified each other.
pub async fn two_verified_nodes(server: &Server, config: &NatsConfig) -> (Node, Node) {
    let store = MemoryStore::new();
    let here = Node::configured(&store, &servers(server), config).await;
    let there = Node::configured(&store, &servers(server), config).await;
    wait_until_verified(&[&here, &there]).await;
    (here, there)
}

/// The *n*-th of many users.
pub fn user(n: u64) -> UserId {
    UserId::from_bytes(EdwardsPoint::mul_base(&Scalar::from(n + 1)).compress().to_bytes()).unwrap()
}

pub fn who(n: u64) -> Principal {
    user(n).into()
}

pub fn on(n: u64, device: &str) -> Principal {
    Principal::new(user(n), device.parse().unwrap())
}

pub fn message(conversation: ConversationId, payload: &str) -> SendMessage {
    let ciphertext = Ciphertext::new(Bytes::copy_from_slice(payload.as_bytes()), &[7; 24], None, None);
    SendMessage::new(conversation, ciphertext.unwrap(), Timestamp::from_millis(5))
}

pub fn payload(message: &Message) -> String {
    String::from_utf8(message.ciphertext.payload().to_vec()).unwrap()
}

pub async fn next(session: &mut Session) -> Delivery {
    in_time("a delivery", session.next()).await.unwrap()
}

/// The next delivery, which must be a message; its payload.
pub async fn text(session: &mut Session) -> String {
    match next(session).await {
        Delivery::Entry(entry) => payload(entry.message().expect("a message")),
        other => panic!("{other:?}"),
    }
}

/// Waits for a future within the time limit.
pub async fn in_time<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(TIME_LIMIT, future).await.unwrap_or_else(|_| panic!("timed out waiting for {what}"))
}

/// Waits until a condition holds for which there is no event.
pub async fn wait_until(what: &str, mut is_true: impl FnMut() -> bool) {
    let end = Instant::now() + TIME_LIMIT;
    let mut look = tokio::time::interval(Duration::from_millis(2));
    while !is_true() {
        assert!(Instant::now() < end, "timed out waiting until {what}");
        look.tick().await;
    }
}

/// The number of the server's subscriptions to subjects of users.
pub fn subscriptions(server: &Server) -> usize {
    server.monitor("/connz?subs=1").matches("\"dm.user.").count()
}

/// Receives all messages on the bus, from now on.
pub async fn subscribe_to_all(bus: &async_nats::Client) -> async_nats::Subscriber {
    let mut messages = bus.subscribe("dm.>").await.unwrap();
    // The subscription has begun when the client receives its own message.
    bus.publish("dm.listener", Bytes::new()).await.unwrap();
    while *in_time("an echo", messages.next()).await.unwrap().subject != *"dm.listener" {}
    messages
}

/// A client of the bus that is not a node.
pub async fn bus_client(server: &Server) -> async_nats::Client {
    async_nats::connect(server.address()).await.unwrap()
}

pub fn subject(n: u64) -> String {
    format!("dm.user.{}", user(n))
}

/// The next frame of a kind on the bus. The kind is a frame's second byte.
pub async fn next_frame(bus: &mut async_nats::Subscriber, kind: u8) -> async_nats::Message {
    loop {
        let message = in_time("a frame", bus.next()).await.unwrap();
        if message.payload.get(1) == Some(&kind) {
            return message;
        }
    }
}
