//! [`NatsNotifier`]: the interface for hosts. It starts and stops the tasks of a notifier.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use async_nats::Client;
use async_trait::async_trait;
use dm_core::notify::{EndSessions, NodeId, Notification, Notifier, NotifyError, Reach};
use dm_core::{DisconnectReport, Hub, UserId};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

use crate::codec::Writer;
use crate::config::{NatsConfig, NatsServers};
use crate::connect::{self, ConnectionEvents};
use crate::counters::{Counters, NatsStats};
use crate::error::NatsError;
use crate::mac::FrameMac;
use crate::nodes;
use crate::orders::Orders;
use crate::peers::Peers;
use crate::pending_challenges::PendingChallenges;
use crate::presence::{Presence, PresenceRequests};
use crate::publish_queue::{self, PublishQueue};
use crate::replay_filter::ReplayFilter;
use crate::shared::Shared;
use crate::subjects::Subjects;
use crate::subscriptions::Subscriptions;

/// The first number of a notifier's stamps is its start time in milliseconds, times this factor. A
/// notifier sends fewer than 1,024 frames with a stamp in a millisecond. So the first number of the
/// hub's next notifier is above all numbers of the notifier before.
const STAMPS_PER_MS: u64 = 1_024;

/// Notifies the sessions of this node through its [`Hub`], and other nodes through NATS. Clones
/// share one connection.
///
/// A notifier ends when its last clone is dropped, or with [`shutdown`](Self::shutdown). The hub
/// continues to work without it, and may get another notifier.
#[derive(Clone)]
pub struct NatsNotifier {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    presence_requests: PresenceRequests,
    orders: Orders,
    /// Stops the tasks when it is set to `true`, or dropped.
    stop: watch::Sender<bool>,
    tasks: Mutex<JoinSet<()>>,
}

/// The health of a notifier.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NatsHealth {
    /// Whether the servers are reached. While they are not, sessions on other nodes find messages
    /// by polling.
    pub connected: bool,
    /// The last error since the servers were last reached; `None` if there was none. Always `None`
    /// if the host made the connection ([`with_client`](NatsNotifier::with_client)).
    pub last_error: Option<String>,
    /// The number of hints, and of replies to presence requests, that wait to be published.
    pub queued: usize,
    /// The id of this node.
    pub node: NodeId,
    /// The other nodes that this node has verified and that are alive. `None` while they are not
    /// known: while no server is reached, during the first [`heartbeat`](NatsConfig::heartbeat)
    /// interval after the servers were reached, or if there are more than 1,024.
    pub peers: Option<Vec<NodeId>>,
}

impl NatsNotifier {
    /// Connects to servers with the default configuration, and starts on the current tokio runtime.
    ///
    /// # Errors
    /// As [`connect_with`](Self::connect_with).
    pub async fn connect(hub: &Hub, servers: impl Into<NatsServers>) -> Result<Self, NatsError> {
        Self::connect_with(hub, &servers.into(), &NatsConfig::default()).await
    }

    /// Connects to servers and starts on the current tokio runtime. If no server can be reached,
    /// the notifier starts anyway and continues to try. [`health`](Self::health) shows whether it
    /// is connected.
    ///
    /// # Errors
    /// Permanent errors: an invalid configuration, credentials that are refused, certificates that
    /// are not trusted.
    ///
    /// # Cancel safety
    /// If the future is dropped, no connection remains.
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

    /// Starts with a connection of the host, on the current tokio runtime. The host configures and
    /// closes the connection. The connection must receive its own messages: do not set `no_echo`.
    /// Otherwise entries that are committed while a user connects are found by polling only.
    ///
    /// # Errors
    /// [`NatsError::Invalid`] for an invalid configuration.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn with_client(hub: &Hub, client: Client, config: &NatsConfig) -> Result<Self, NatsError> {
        config.validate()?;
        Self::start(hub, client, config, Arc::default())
    }

    fn start(
        hub: &Hub,
        client: Client,
        config: &NatsConfig,
        events: Arc<ConnectionEvents>,
    ) -> Result<Self, NatsError> {
        let counters = Arc::<Counters>::default();
        let (publish_queue, queued) = PublishQueue::new(config.queue, Arc::clone(&counters));
        let replay_filter = ReplayFilter::new();
        let next_number = replay_filter.now().as_millis().saturating_mul(STAMPS_PER_MS);
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
            next_number: AtomicU64::new(next_number),
            max_entry: config.max_entry,
        });
        tracing::info!(node = %hub.node(), keyed = shared.mac.is_keyed(), "the NATS notifier starts");
        let stop = watch::Sender::new(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(publish_queue::run(client, queued, counters, stop.subscribe()));
        tasks.spawn(Subscriptions::new(Arc::clone(&shared)).run(stop.subscribe()));
        tasks.spawn(nodes::run(Arc::clone(&shared), config.heartbeat, stop.subscribe()));
        let inner = Inner {
            shared,
            presence_requests: PresenceRequests::new(config.presence_timeout),
            orders: Orders::new(config.confirm_timeout),
            stop,
            tasks: Mutex::new(tasks),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Finds out whether a user is connected to this node, to another node, or to none. Asks the
    /// other nodes, unless the user is connected here. Takes one round trip on the bus, and at most
    /// [`NatsConfig::presence_timeout`].
    ///
    /// # Cancel safety
    /// Cancel safe: dropping the future ends the request.
    pub async fn presence(&self, user: UserId) -> Presence {
        self.inner.presence_requests.ask(&self.inner.shared, user).await
    }

    /// The health of the notifier. Reads memory only, so it is cheap enough for any health check.
    #[must_use]
    pub fn health(&self) -> NatsHealth {
        let shared = &self.inner.shared;
        NatsHealth {
            connected: shared.is_connected(),
            last_error: shared.events.last_error(),
            queued: shared.publish_queue.queued(),
            node: shared.hub.node(),
            peers: shared.peers.alive_nodes(shared.connection_count()).filter(|_| shared.is_connected()),
        }
    }

    /// The counts since the notifier's start.
    #[must_use]
    pub fn stats(&self) -> NatsStats {
        self.inner.shared.counters.stats()
    }

    /// Ends the notifier: publishes waiting hints, and ends all subscriptions. After `time_limit`
    /// it stops the tasks that still run. The hub continues to notify the sessions of this node. A
    /// second call waits in the same way.
    pub async fn shutdown(&self, time_limit: Duration) {
        self.inner.stop.send_replace(true);
        let mut tasks = self.inner.tasks.lock().await;
        let shared = &self.inner.shared;
        let ended = async {
            while tasks.join_next().await.is_some() {}
            // The host may end its runtime next, and the connection with it. So this waits until
            // the last frames are written.
            if shared.is_connected() {
                let _ = shared.client.flush().await;
            }
        };
        if tokio::time::timeout(time_limit, ended).await.is_err() {
            tasks.shutdown().await;
        }
    }
}

#[async_trait]
impl Notifier for NatsNotifier {
    /// Notifies this node's sessions, and queues hints for the other nodes. Returns at once, and
    /// the result is for this node only. [`presence`](NatsNotifier::presence) finds out whether a
    /// user is connected to another node.
    async fn notify(&self, notifications: &[Notification]) -> Result<Vec<Reach>, NotifyError> {
        let shared = &self.inner.shared;
        let reach = shared.hub.notify(notifications).await?;
        for Notification { user, entry } in notifications {
            shared.push_hint(*user, entry);
        }
        Ok(reach)
    }

    /// Ends sessions of this node, and orders the other nodes to end theirs. Returns as soon as all
    /// known nodes have confirmed, at the latest after [`NatsConfig::confirm_timeout`]. If the
    /// servers cannot be reached, only this node confirms, and the expected number of nodes is
    /// unknown.
    async fn end_sessions(&self, order: &EndSessions) -> DisconnectReport {
        self.inner.orders.issue(&self.inner.shared, order).await
    }
}

impl std::fmt::Debug for NatsNotifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NatsNotifier").field("health", &self.health()).field("stats", &self.stats()).finish()
    }
}
