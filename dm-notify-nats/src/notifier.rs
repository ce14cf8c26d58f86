//! The notifier itself.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use async_nats::Client;
use async_trait::async_trait;
use dm_core::notify::{EndSessions, NodeId, Notification, Notifier, NotifyError, Reach};
use dm_core::{Disconnected, Hub, UserId};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

use crate::codec::Writer;
use crate::config::{NatsConfig, NatsServers};
use crate::connect::{self, ConnectionEvents};
use crate::counters::{Counters, NatsStats};
use crate::error::NatsError;
use crate::replay_filter::ReplayFilter;
use crate::pending_challenges::PendingChallenges;
use crate::nodes;
use crate::orders::Orders;
use crate::publish_queue::{self, PublishQueue};
use crate::shared::Shared;
use crate::peers::Peers;
use crate::presence::{Presence, PresenceRequests};
use crate::subscriptions::Subscriptions;
use crate::mac::FrameMac;
use crate::subjects::Subjects;

/// Numbers of stamps for each millisecond until a notifier starts: more than it says in one. A
/// notifier that follows another one on its hub begins above all numbers of that.
const STAMPS_PER_MS: u64 = 1_024;

/// Tells the sessions of this node through its [`Hub`], and other nodes through NATS. Clones share one connection.
///
/// It ends with its last clone, or with [`shutdown`](Self::shutdown); the hub goes on without it,
/// and another one may follow.
#[derive(Clone)]
pub struct NatsNotifier {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    questions: PresenceRequests,
    orders: Orders,
    /// Told to the tasks by a `true`, or by being dropped.
    stop: watch::Sender<bool>,
    tasks: Mutex<JoinSet<()>>,
}

/// How a notifier is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NatsHealth {
    /// Whether the servers are reached. While they are not, sessions on other nodes learn of messages by looking.
    pub connected: bool,
    /// What went wrong last, if anything did since the servers were reached. Never known of a host's own connection.
    pub last_error: Option<String>,
    /// Hints that wait to be published.
    pub queued: usize,
    /// The id of this node.
    pub node: NodeId,
    /// The other nodes that this one met; `None` while nobody knows, such as in the first
    /// [`heartbeat`](NatsConfig::heartbeat) after the servers were reached.
    pub peers: Option<Vec<NodeId>>,
}

impl NatsNotifier {
    /// Connects to servers, with everything else by default, and starts on the current tokio runtime.
    ///
    /// # Errors
    /// As [`connect_with`](Self::connect_with).
    pub async fn connect(hub: &Hub, servers: impl Into<NatsServers>) -> Result<Self, NatsError> {
        Self::connect_with(hub, &servers.into(), &NatsConfig::default()).await
    }

    /// Connects to servers and starts on the current tokio runtime. When none can be reached it starts all the same, goes
    /// on looking for them, and [`health`](Self::health) says so.
    ///
    /// # Errors
    /// What time does not mend: choices that cannot work, credentials that are refused, certificates that are not
    /// trusted.
    ///
    /// # Cancel safety
    /// Dropping the future connects to nothing.
    pub async fn connect_with(
        hub: &Hub,
        servers: &NatsServers,
        config: &NatsConfig,
    ) -> Result<Self, NatsError> {
        config.validate()?;
        let events = Arc::default();
        let client = connect::connect(servers, &config.prefix, &events).await?;
        Self::start(hub, client, config, events)
    }

    /// Starts on a connection of the host's, on the current tokio runtime. The connection stays the host's to configure and
    /// to close. It has to hear its own words (no `no_echo`), or what happens while a user connects is found by polling
    /// only.
    ///
    /// # Errors
    /// [`NatsError::Invalid`] for choices that cannot work.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn with_client(hub: &Hub, client: Client, config: &NatsConfig) -> Result<Self, NatsError> {
        config.validate()?;
        Self::start(hub, client, config, Arc::default())
    }

    fn start(hub: &Hub, client: Client, config: &NatsConfig, events: Arc<ConnectionEvents>) -> Result<Self, NatsError> {
        let counters = Arc::<Counters>::default();
        let (publish_queue, queued) = PublishQueue::new(config.queue, Arc::clone(&counters));
        let replay_filter = ReplayFilter::new();
        let stamped = replay_filter.now().as_millis().saturating_mul(STAMPS_PER_MS);
        let shared = Arc::new(Shared {
            hub: hub.clone(),
            client: client.clone(),
            writer: Writer(hub.node()),
            subjects: Subjects::new(&config.prefix),
            mac: FrameMac::new(&config.keys)?,
            replay_filter,
            pending_challenges: PendingChallenges::new(config.confirm_timeout),
            peers: Peers::new(config.heartbeat),
            publish_queue,
            counters: Arc::clone(&counters),
            events,
            stamped: AtomicU64::new(stamped),
            max_entry: config.max_entry,
        });
        tracing::info!(node = %hub.node(), keyed = shared.mac.is_keyed(), "a node between others");
        let stop = watch::Sender::new(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(publish_queue::run(client, queued, counters, stop.subscribe()));
        tasks.spawn(Subscriptions::new(Arc::clone(&shared)).run(stop.subscribe()));
        tasks.spawn(nodes::run(Arc::clone(&shared), config.heartbeat, stop.subscribe()));
        let inner = Inner {
            shared,
            questions: PresenceRequests::new(config.presence_timeout),
            orders: Orders::new(config.confirm_timeout),
            stop,
            tasks: Mutex::new(tasks),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Where a user is connected. Asks the other nodes, unless the user is here; takes a round trip on the bus, and
    /// [`NatsConfig::presence_timeout`] at most.
    ///
    /// # Cancel safety
    /// Dropping the future only stops the asking.
    pub async fn presence(&self, user: UserId) -> Presence {
        self.inner.questions.ask(&self.inner.shared, user).await
    }

    /// How the notifier is, from memory: cheap enough for any probe.
    #[must_use]
    pub fn health(&self) -> NatsHealth {
        let shared = &self.inner.shared;
        NatsHealth {
            connected: shared.is_connected(),
            last_error: shared.events.last_error(),
            queued: shared.publish_queue.queued(),
            node: shared.hub.node(),
            peers: shared.peers.known(shared.connects()).filter(|_| shared.is_connected()),
        }
    }

    /// What it did so far.
    #[must_use]
    pub fn stats(&self) -> NatsStats {
        self.inner.shared.counters.stats()
    }

    /// Ends within `bound`: what waits is published, and all is unsubscribed. Sessions of this node are told of each
    /// other's messages as before. Calling it again waits likewise.
    pub async fn shutdown(&self, bound: Duration) {
        self.inner.stop.send_replace(true);
        let mut tasks = self.inner.tasks.lock().await;
        let shared = &self.inner.shared;
        let ended = async {
            while tasks.join_next().await.is_some() {}
            // The host may end its runtime next, and with it the connection.
            if shared.is_connected() {
                let _ = shared.client.flush().await;
            }
        };
        if tokio::time::timeout(bound, ended).await.is_err() {
            tasks.shutdown().await;
        }
    }
}

#[async_trait]
impl Notifier for NatsNotifier {
    /// Tells this node's sessions, and has the rest told to the other nodes. Answers at once, for this node: whether
    /// somebody is connected elsewhere is for [`presence`](NatsNotifier::presence) to find out.
    async fn notify(&self, notifications: &[Notification]) -> Result<Vec<Reach>, NotifyError> {
        let shared = &self.inner.shared;
        let reach = shared.hub.notify(notifications).await?;
        for Notification { user, entry } in notifications {
            shared.push_hint(*user, entry);
        }
        Ok(reach)
    }

    /// Ends sessions of this node, and has the other nodes end theirs. Answers as soon as all that
    /// are known to be there have confirmed, and after [`NatsConfig::confirm_timeout`] at most.
    /// Without the servers, only this node confirms, and nobody knows how many should have.
    async fn end_sessions(&self, order: &EndSessions) -> Disconnected {
        self.inner.orders.give(&self.inner.shared, order).await
    }
}

impl std::fmt::Debug for NatsNotifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NatsNotifier").field("health", &self.health()).field("stats", &self.stats()).finish()
    }
}
