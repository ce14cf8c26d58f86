//! The [`Notifier`](dm_core::notify::Notifier) of `dm-core` across nodes, on NATS.
//!
//! ```no_run
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use dm_core::{MemoryStore, Service};
//! use dm_notify_nats::{NatsConfig, NatsNotifier, NatsServers};
//!
//! # let store = MemoryStore::new(); // in place of one that the nodes share
//! let servers = NatsServers::from("nats://10.0.0.5:4222");
//! let mut config = NatsConfig::default();
//! config.keys = vec![std::fs::read_to_string("hint.key")?.parse()?]; // `openssl rand -hex 32`, the same on all nodes
//!
//! let builder = Service::builder(store);
//! let nats = NatsNotifier::connect_with(&builder.hub(), &servers, &config).await?;
//! let dm = builder.notifier(nats.clone()).start()?;
//! // Sessions start and end as on one node: `dm.connect(&who)`, and
//! // `dm.disconnect(user, None, DisconnectReason::Refused)`.
//! # Ok(())
//! # }
//! ```
//!
//! Each node has a [`Hub`](dm_core::Hub) with the sessions of its own clients. After a commit the
//! hub notifies those at once, and a hint goes to the subject of the user, `dm.user.<id>`. A node
//! is subscribed for each user who has a session on it: once for all devices of the user, from the
//! start of the first session to the end of the last.
//!
//! Correctness does not depend on hints: they may be lost, late, duplicated and out of order, as in
//! core NATS. A session notices missing entries by their numbers, and reads the store every
//! [`poll_interval`](dm_core::Config::poll_interval) in any case.
//!
//! # Hints
//!
//! A hint holds the number of the entry in the user's inbox, the device that caused the entry, and
//! the entry itself if that makes no more than [`NatsConfig::max_entry`] bytes. Ciphertext stays
//! encrypted. A hint that cannot be decoded, because it is damaged or of another version, is
//! counted and dropped, and sessions find the entry by polling. All other features need nodes of
//! one version: orders end no sessions on a node of another version, devices are not taken over
//! there, and presence requests are not answered there.
//!
//! # Authentication of nodes
//!
//! With a key that the nodes share ([`NatsConfig::keys`]), each frame has a tag of 16 bytes: keyed
//! BLAKE2b over the subject and the frame. A message without such a tag, or with a tag by another
//! key or for another subject, is counted ([`NatsStats::unauthenticated`]) and dropped. An attacker
//! on the bus without the key can then drop, delay and replay frames, and see which users are
//! connected and which get messages, and no more. A replayed frame has no effect, or only the
//! effects named here:
//!
//! - Sessions take an entry by its number, once.
//! - A reply goes to a subject that only its request names, by 16 random bytes under the request's
//!   tag. So it answers no other request.
//! - Each node numbers its orders, claims and heartbeats. Another node takes each of the newest
//!   8,192 once, at any rate. It takes none that is older, that is more than a minute old, or that
//!   is from more than a second before its own start ([`NatsStats::repeated`],
//!   [`NatsStats::stale`]). A frame that 8,192 later ones of its node overtook is lost.
//! - Requests have no stamp: whether a user is connected, and whether a node is alive. A replayed
//!   request is answered again, without a receiver, at the cost of a small message.
//! - A heartbeat counts only after its node has answered a challenge, a request of the receiving
//!   node's own. Two nodes verify each other so, a moment after the later one starts. From then on
//!   each converts the other's times by an offset between their clocks, whatever the other's clock
//!   says. Before that, or where one node does not receive the other's replies, the minute is
//!   measured by clocks of machines that may differ: keep those clocks close.
//!
//! Six risks are left:
//!
//! - An attacker who replays recorded heartbeats of 16 nodes without end can keep a node from being
//!   verified whose clock is wrong by more than a minute.
//! - An attacker who sees a presence request can answer, in the name of the servers, that no node
//!   has the user: the servers' answers have no tag. Then a phone is woken without need.
//! - A frame that a node missed can be delivered to it later, within the minute.
//! - A node remembers 1,024 other nodes. With more within two minutes, it takes no frame of a new
//!   one.
//! - Frames of a node that is gone and whose clock was ahead can be taken, once, by a node that
//!   started since, when that time has come.
//! - Hints outlive a store that is restored from a backup: change the key after a restore.
//!
//! Two notifiers on one bus need a hub each, since a node's frames are told apart by the hub's id.
//! A second notifier on the same hub must start after the first has ended.
//!
//! Without a key, hints carry the number alone, and sessions read the store for each entry. A
//! forged number costs a read of the store and nothing else. No frame is dropped for its age or as
//! a repetition, since an attacker can as easily forge a new one. But everybody who may publish can
//! then end sessions, by orders and claims; invent nodes, so that orders wait for them in vain; and
//! report an absent user as connected, so that no phone is woken.
//!
//! In both cases give only the nodes access to the servers ([`NatsAuth`], [`NatsTls`]), with the
//! right to publish and subscribe to `dm.>`.
//!
//! # Ending sessions
//!
//! [`Service::disconnect`](dm_core::Service::disconnect) and the forgetting of a device end
//! sessions on all nodes. The order goes to `dm.nodes`; each node executes and confirms it. The
//! answer names the nodes that confirmed within [`NatsConfig::confirm_timeout`], and the expected
//! number of nodes: this one, and the verified nodes with a heartbeat in the last three
//! [`heartbeat`](NatsConfig::heartbeat)s. The expected number is unknown if in that time a frame
//! came from a node that is not verified or has another version; no order waits for such a node. An
//! attacker who replays heartbeats can cause this, and no more. A node that missed the order does
//! not get it again: its sessions go on until the host's own check refuses them, at the next ping
//! of their sockets.
//!
//! A device that connects to another node is taken over: its older session ends with
//! [`SessionEnd::Replaced`](dm_core::SessionEnd::Replaced), as on one node. The choice of the newer
//! session does not depend on the clocks of the nodes, but on the age of each session, measured by
//! its own node ([`Term`](dm_core::notify::Term) has the details). Of two sessions that begin
//! within the time a frame takes, exactly one ends. Between verified nodes with a key, the time
//! that a claim was under way is added to the age in it, so a delayed claim tells of an older
//! session. Two sessions that begin while the nodes cannot reach each other are compared when they
//! can. If a claim is lost, both sessions go on, each with all entries, until the device connects
//! again or the connection to the servers is made again.
//!
//! # Failures
//!
//! - The servers cannot be reached, at the start or later: sessions go on, messages of other
//!   nodes are found by polling, and [`NatsNotifier::health`] shows it. Hints are dropped meanwhile
//!   and not kept.
//! - The servers are reached again: subscriptions are made again, and the sessions of all
//!   subscribed users read the store, 64 users every 25 ms to spare the store.
//! - There is more to publish than the connection takes: hints are dropped and counted. No caller
//!   waits.
//! - A user connects while a message is sent: the node sends a probe to its own new subscription.
//!   When the probe arrives, the sessions read the store once, for entries that were committed
//!   before.
//!
//! # Costs
//!
//! A connected user costs 7 KB more than on the hub alone, nearly all of it in the channel of the
//! subscription, and one more read of the store when the first session starts. A push to another
//! node takes 0.2 ms after the commit was answered, and 0.5 ms in the slowest of a hundred, on one
//! machine with two cores, at 5,000 messages a second (`examples/push.rs`). The hints of one commit
//! are written together.
//!
//! # Presence
//!
//! [`notify`](dm_core::notify::Notifier::notify) answers for this node only, because asking other
//! nodes takes longer than a commit may wait. [`NatsNotifier::presence`] asks them, for a host that
//! wants to wake a phone: after the notifier, in a task of its own. If no node is subscribed for a
//! user, a server answers at once. Otherwise a subscribed node has to answer.
//!
//! ```
//! use dm_core::Disconnected;
//! use dm_core::notify::{EndSessions, Notification, Notifier, NotifyError, Reach};
//! # use dm_notify_nats::NatsNotifier;
//!
//! /// Notifies all nodes, and wakes the phones of users who are connected to none.
//! struct Waking(NatsNotifier);
//!
//! #[async_trait::async_trait]
//! impl Notifier for Waking {
//!     async fn notify(&self, notifications: &[Notification]) -> Result<Vec<Reach>, NotifyError> {
//!         let reach = self.0.notify(notifications).await?;
//!         for (notification, reach) in notifications.iter().zip(&reach) {
//!             let Notification { user, entry } = notification;
//!             let received = entry.message().is_some_and(|message| message.sender != *user);
//!             if received && *reach == Reach::Absent {
//!                 let (nats, user) = (self.0.clone(), *user);
//!                 tokio::spawn(async move {
//!                     if nats.presence(user).await.reach() == Reach::Absent {
//!                         // Push to the user's phone.
//!                     }
//!                 });
//!             }
//!         }
//!         Ok(reach)
//!     }
//!
//!     async fn end_sessions(&self, order: &EndSessions) -> Disconnected {
//!         self.0.end_sessions(order).await
//!     }
//! }
//! ```
//!
//! # Logs
//!
//! This crate logs lengths, the first digits of a user's id, and error texts of the servers without
//! subjects. The `async-nats` crate itself logs subjects, which hold whole ids, at its level
//! `debug`, and whole messages, encrypted as they are, at `trace`: keep `async_nats=info`, whatever
//! the level of other crates is.
//!
//! # Modules, in reading order
//!
//! `config` and `notifier`. `shared` is the state that all tasks share. `subscriptions` follows the
//! users with a session here, and receives their frames; `publish_queue` sends hints. `requests`
//! has requests and replies; `presence` is one of them. `takeover`, `nodes`, `orders`, `challenge`,
//! `pending_challenges` and `peers` are about ending sessions. `codec` is the bytes, `mac` their
//! tag; `replay_filter` and `replay_window` drop replayed frames. Then `connect`, `subjects`,
//! `counters`, `error`.

mod challenge;
mod codec;
mod config;
mod connect;
mod counters;
mod error;
mod mac;
mod nodes;
mod notifier;
mod orders;
mod peers;
mod pending_challenges;
mod presence;
mod publish_queue;
mod replay_filter;
mod replay_window;
mod requests;
mod shared;
mod subjects;
mod subscriptions;
mod takeover;

pub use config::{NatsAuth, NatsConfig, NatsServers, NatsTls};
pub use counters::NatsStats;
pub use error::NatsError;
pub use mac::HintKey;
pub use notifier::{NatsHealth, NatsNotifier};
pub use presence::Presence;

use tokio::sync::watch;

/// Resolves when the notifier is told to stop or is dropped.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
