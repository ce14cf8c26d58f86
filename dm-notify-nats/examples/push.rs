//! Measures the time from the answer to a sender until the message reaches a session on another
//! node, and the memory that a connected user takes.
//!
//! Starts a NATS server on this machine, and two nodes in this process. The nodes share a store in
//! memory, so that only the transfer from node to node is measured:
//!
//! ```text
//! cargo run --release -p dm-notify-nats --example push
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "an example that measures")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use curve25519_dalek::{EdwardsPoint, Scalar};
use dm_core::{
    AckTarget, Ciphertext, ConversationId, Delivery, MemoryStore, Principal, SendMessage, Service, Session,
    Timestamp, UserId,
};
use dm_notify_nats::{HintKey, NatsConfig, NatsNotifier, NatsServers};
use dm_test_servers::nats::Server;
use hdrhistogram::Histogram;

const PAYLOAD: usize = 512;

struct Node {
    dm: Service,
    nats: NatsNotifier,
}

impl Node {
    async fn new(store: &MemoryStore, server: &Server) -> Self {
        let builder = Service::builder(store.clone());
        let mut config = NatsConfig::default();
        config.keys = vec![HintKey::from_bytes([7; HintKey::LEN])];
        let servers = NatsServers::from(server.address().as_str());
        let nats = NatsNotifier::connect_with(&builder.hub(), &servers, &config).await.unwrap();
        let dm = builder.notifier(nats.clone()).start().unwrap();
        Self { dm, nats }
    }
}

fn who(n: u64) -> Principal {
    UserId::from_bytes(EdwardsPoint::mul_base(&Scalar::from(n + 1)).compress().to_bytes()).unwrap().into()
}

fn message(to: ConversationId) -> SendMessage {
    let ciphertext = Ciphertext::new(Bytes::from(vec![7; PAYLOAD]), &[7; 24], None, None).unwrap();
    SendMessage::new(to, ciphertext, Timestamp::from_millis(0))
}

async fn next_message(session: &mut Session) {
    while !matches!(session.next().await.unwrap(), Delivery::Entry(entry) if entry.message().is_some()) {}
}

/// Receives `count` messages as a host does, and acknowledges after every 64 messages. Returns the
/// time of each message.
async fn receive(mut session: Session, count: usize) -> Vec<Instant> {
    let mut at = Vec::with_capacity(count);
    while at.len() < count {
        next_message(&mut session).await;
        at.push(Instant::now());
        if at.len() % 64 == 0 || at.len() == count {
            session.handle().acknowledge(AckTarget::UpTo(session.position())).await.unwrap();
        }
    }
    at
}

/// Sends messages at a fixed rate, and prints latencies. In each pair of users, one sends through
/// the first node and the other has a session on the second node.
async fn run(pairs: u64, per_second: u64, seconds: u64) {
    let server = Server::start();
    let store = MemoryStore::new();
    let (here, there) = (Node::new(&store, &server).await, Node::new(&store, &server).await);
    let mut tasks = Vec::new();
    let count = usize::try_from(per_second * seconds / pairs).unwrap();
    for pair in 0..pairs {
        let (from, to) = (who(2 * pair), who(2 * pair + 1));
        let chat = here.dm.open_conversation(&from, to.user).await.unwrap().conversation.id;
        let mut session = there.dm.connect(&to).await.unwrap();
        here.dm.send(&from, message(chat)).await.unwrap();
        next_message(&mut session).await;
        let dm = here.dm.clone();
        tasks.push(tokio::spawn(async move {
            let receiving = tokio::spawn(receive(session, count));
            let mut pace = tokio::time::interval(Duration::from_secs_f64(pairs_per(pairs, per_second)));
            let mut answered = Vec::with_capacity(count);
            for _ in 0..count {
                pace.tick().await;
                dm.send(&from, message(chat)).await.unwrap();
                answered.push(Instant::now());
            }
            (answered, receiving.await.unwrap())
        }));
    }
    let mut beyond = Histogram::<u64>::new(3).unwrap();
    for task in tasks {
        let (answered, received) = task.await.unwrap();
        for (answered, received) in answered.into_iter().zip(received) {
            // A message that arrives before the sender's own task is woken counts as zero.
            let nanos = received.saturating_duration_since(answered).as_nanos();
            beyond.record(u64::try_from(nanos).unwrap().max(1)).unwrap();
        }
    }
    let stats = there.nats.stats();
    let micros = |quantile| beyond.value_at_quantile(quantile) / 1_000;
    println!(
        "{pairs:>4} pairs, {per_second:>5} messages/s: beyond the commit p50 {} us, p99 {} us, p99.9 {} us, most {} us; \
         {} hints received, {} dropped",
        micros(0.5),
        micros(0.99),
        micros(0.999),
        beyond.max() / 1_000,
        stats.received,
        here.nats.stats().outgoing_dropped,
    );
}

fn pairs_per(pairs: u64, per_second: u64) -> f64 {
    f64::from(u32::try_from(pairs).unwrap()) / f64::from(u32::try_from(per_second).unwrap())
}

/// Prints the memory that a connected user takes, with and without the notifier.
async fn memory(users: u64) {
    let server = Server::start();
    let store = MemoryStore::new();
    let node = Node::new(&store, &server).await;
    let alone = Service::builder(store.clone()).start().unwrap();
    let mut kept = Vec::new();
    for (name, dm) in [("on the hub alone", alone), ("on the hub and the bus", node.dm.clone())] {
        let before = resident();
        let mut sessions = Vec::new();
        for n in 0..users {
            sessions.push(dm.follow(&who(n)).await.unwrap());
        }
        let expected = if name.ends_with("bus") { sessions.len() } else { 0 };
        while node.nats.stats().subscriptions < expected {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        println!("{users} users {name}: {} bytes each", (resident().saturating_sub(before)) / users);
        kept.push(sessions);
    }
}

/// The resident memory of this process, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
}

#[tokio::main]
async fn main() {
    memory(10_000).await;
    run(1, 200, 10).await;
    run(50, 1_000, 10).await;
    run(50, 5_000, 10).await;
}
