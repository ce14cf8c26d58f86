//! Several nodes on one PostgreSQL database and one NATS server, compared with one node and with an
//! implementation by hand.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use dm_core::{AckTarget, Delivery, Principal, Service};
use dm_notify_nats::{HintKey, NatsConfig, NatsNotifier, NatsServers};
use dm_store_postgres::PostgresStore;
use dm_test_servers::nats::Server;
use dm_test_servers::postgres::Database;

use crate::measure::{closed_loop, histogram, median, millis, nanos};
use crate::options::Options;
use crate::people::{self, Chat, user};
use crate::report::Report;
use crate::store;
use crate::subject::PostgresPath;

const NODES: usize = 3;

/// Turns of one node, all nodes, and the implementation by hand.
const ROUNDS: usize = 4;

/// The pause between two messages whose latency between nodes is measured.
const EVERY: Duration = Duration::from_millis(10);

/// A node as a host has it, in this process.
#[derive(Clone)]
struct Node {
    service: Service,
}

impl Node {
    async fn start(database: &Database, bus: &Server) -> anyhow::Result<Self> {
        let builder = Service::builder(PostgresStore::open(&database.parameters()).await?);
        let mut config = NatsConfig::default();
        // Nodes in production have a key.
        config.keys = vec![HintKey::from_bytes([7; HintKey::LEN])];
        let servers = NatsServers::from(bus.address().as_str());
        let nats = NatsNotifier::connect_with(&builder.hub(), &servers, &config).await?;
        Ok(Self { service: builder.notifier(nats).start()? })
    }
}

pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    dm_test_servers::require()?;
    let bus = Server::start();
    let database = store::database();
    let mut nodes = Vec::new();
    for _ in 0..NODES {
        nodes.push(Node::start(database, &bus).await?);
    }
    let first = nodes.first().context("a node")?.service.clone();
    let chats = Arc::new(people::open_chats(&first, options.conversations, options.users).await?);
    let path = Arc::new(PostgresPath::open(options).await?);

    let mut report = Report::new(format!(
        "cluster: {} in flight, {} bytes, {} conversations of {} people; everything on this machine",
        options.in_flight, options.payload, options.conversations, options.users
    ));
    let (mut by_hand, mut by_one) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let one = send(&nodes[..1], &chats, options).await;
        let all = send(&nodes, &chats, options).await;
        let hand = {
            let path = Arc::clone(&path);
            let call = move |_| {
                let path = Arc::clone(&path);
                async move { path.send().await.expect("it is stored") }
            };
            closed_loop(options.in_flight, options.span(), call).await.per_second()
        };
        report.add(format!("round {round}: one node"), one, "msg/s");
        report.add(format!("round {round}: {NODES} nodes"), all, "msg/s");
        report.add(format!("round {round}: a transaction per message"), hand, "msg/s");
        by_hand.push(one / hand);
        by_one.push(all / one);
    }
    let middle = |ratios| median(ratios).unwrap_or(f64::NAN);
    report.add("one node / a transaction per message (target: at least 5)", middle(by_hand), "x");
    report.add(format!("{NODES} nodes / one node (target: at least 1.3)"), middle(by_one), "x");
    push(&nodes, options, &mut report).await?;
    for node in nodes {
        node.service.shutdown(Duration::from_secs(30)).await;
    }
    Ok(report)
}

/// Messages per second, sent through some nodes by turns.
async fn send(nodes: &[Node], chats: &Arc<Vec<Chat>>, options: &Options) -> f64 {
    let (nodes, chats, payload) = (nodes.to_vec(), Arc::clone(chats), options.payload);
    let call = move |n: usize| {
        let (service, chats) = (nodes[n % nodes.len()].service.clone(), Arc::clone(&chats));
        async move { people::send(&service, &chats[people::pick(n, chats.len())], n, payload).await }
    };
    closed_loop(options.in_flight, options.span(), call).await.per_second()
}

/// The time from the answer on one node to a session on another.
async fn push(nodes: &[Node], options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let [one, other, ..] = nodes else { anyhow::bail!("two nodes are needed") };
    // A pair of users to whom nobody else writes.
    let pair = (user(options.users + 1), user(options.users + 2));
    let chats = people::open_pairs(&one.service, [pair].into_iter()).await?;
    let mut session = other.service.connect(&Principal::from(pair.1)).await?;
    while !matches!(session.next().await?, Delivery::CaughtUp { .. }) {}
    let (arrived, mut arrivals) = tokio::sync::mpsc::channel(64);
    let receiver = tokio::spawn(async move {
        while let Ok(delivery) = session.next().await {
            let now = Instant::now();
            if let Delivery::Entry(entry) = delivery {
                let _ = session.handle().acknowledge(AckTarget::UpTo(entry.seq)).await;
                if entry.message().is_some() && arrived.send(now).await.is_err() {
                    return;
                }
            }
        }
    });
    let mut beyond = histogram();
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let began = Instant::now();
    for n in 0.. {
        if began.elapsed() >= options.span() {
            break;
        }
        ticks.tick().await;
        people::send(&one.service, &chats[0], n, options.payload).await;
        let answered = Instant::now();
        let arrived = arrivals.recv().await.context("it does not arrive")?;
        beyond.saturating_record(nanos(arrived.saturating_duration_since(answered)));
    }
    receiver.abort();
    report.add("from node to node after the answer, p50", millis(&beyond, 0.5), "ms");
    report.add("from node to node after the answer, p99 (target: at most 5)", millis(&beyond, 0.99), "ms");
    Ok(())
}
