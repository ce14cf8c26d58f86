//! The [`Notifier`](dm_core::notify::Notifier) of `dm-core` across nodes, on NATS.
//!
//! ```no_run
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use dm_core::{MemoryStore, Service};
//! use dm_notify_nats::{NatsConfig, NatsNotifier, NatsServers};
//!
//! # let store = MemoryStore::new(); // in place of a store that the nodes share
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
//! hub notifies these sessions at once, and the notifier publishes a hint to the user's subject,
//! `dm.user.<id>`. A node is subscribed to the subject of each user who has a session on it. All
//! devices of the user share this subscription. It lasts from the start of the user's first session
//! to the end of the last one.
//!
//! Correctness does not depend on hints: they may be lost, late, duplicated and out of order, as in
//! core NATS. A session notices missing entries by their numbers, and reads the store every
//! [`poll_interval`](dm_core::Config::poll_interval) in any case.
//!
//! # Terms
//!
//! [`dm_core`](dm_core#terms) defines inbox, entry, device and session. This crate adds:
//!
//! - *node*: a process of the host, with one hub. Nodes share a store.
//! - *frame*: a message that a node publishes for other nodes.
//! - *hint*: a frame about a new entry in a user's inbox. The *number* of a hint is the number of
//!   this entry.
//! - *order*: a request to end sessions ([`EndSessions`](dm_core::notify::EndSessions)). Each node
//!   executes and confirms it.
//! - *term*: the rank of a device's session ([`Term`](dm_core::notify::Term)). Of several sessions
//!   of one device, the session with the highest term stays.
//! - *claim*: the term and the age of a device's session, which the session's node sends to the
//!   other nodes. These nodes end their older sessions of this device.
//! - *objection*: the reply of a node to a claim that has the lower term, although the claimed
//!   session is newer than the node's own session of the device, or as old. The newer session has to
//!   stay, so the node that claimed raises its session's term and claims again.
//! - *heartbeat*: a frame that shows that its node is alive.
//! - *challenge*: a request that only a running node can reply to. A node is *verified* after it
//!   has replied to a challenge of this node.
//! - *probe*: a frame that a node sends to itself, to learn that its subscription has begun.
//! - *stamp*: the time and the number of a frame, by which replays are recognized.
//! - *tag*: the message authentication code of a frame.
//!
//! Outgoing hints that are not published are *dropped*. Received frames that are not processed are
//! *refused*.
//!
//! # Hints
//!
//! A hint has the number of the entry, the device that caused the entry, and the entry itself if
//! the hint then takes at most [`NatsConfig::max_entry`] bytes. Ciphertext stays encrypted. An entry
//! for one device goes to all nodes of the user, and the sessions of the other devices pass over it. A hint
//! that cannot be decoded, because it is damaged or of another version, is refused and counted, and
//! sessions find the entry by polling.
//!
//! All other features need nodes of one version: on a node of another version, orders end no
//! sessions, claims end no sessions, and presence requests are not answered.
//!
//! # Authentication of nodes
//!
//! With a key that the nodes share ([`NatsConfig::keys`]), each frame has a tag of 16 bytes: keyed
//! BLAKE2b over the subject and the frame. A message without a tag, or with a tag by another key or
//! for another subject, is refused and counted ([`NatsStats::unauthenticated`]). An attacker on the
//! bus without the key can suppress, delay and replay frames, and see which users are connected and
//! which users get messages. The attacker can do nothing else. A replayed frame has no effect, or
//! only the effects named here:
//!
//! - A session delivers each entry once, by its number.
//! - A reply goes to a subject that contains 16 random bytes. These bytes are in the request, which
//!   has a tag. So a reply is valid for this request only.
//! - Orders, claims, objections, probes, heartbeats, and the last frame of a node that ends have a
//!   stamp. Of the frames with a stamp from one node, a receiver accepts each of the newest 8,192
//!   once ([`NatsStats::repeated`]). It refuses the frames that precede these 8,192, frames whose
//!   time differs from the receiver's time by more than a minute, and frames that were sent more
//!   than a second before the receiver's start ([`NatsStats::stale`]). So a frame is lost if 8,192
//!   later frames of its node arrive before it.
//! - Presence requests and challenges have no stamp. A replayed request is answered again, which
//!   costs a small message. No node uses this answer.
//! - A heartbeat counts only after its node has replied to a challenge of the receiving node. Two
//!   nodes verify each other in this way, a moment after the later one starts. From then on each
//!   node knows the offset between the two clocks, and the clocks may differ. For nodes that are
//!   not verified, a frame's age is computed from the clocks of both machines. So keep the clocks
//!   of the machines close.
//!
//! Six risks remain:
//!
//! - A node whose clock is wrong by more than a minute may never be verified. Other nodes refuse
//!   its heartbeats as stale and challenge it, but at most 16 such challenges are under way at
//!   once. An attacker who replays recorded heartbeats of 16 nodes can keep all 16 under way.
//! - An attacker who sees a presence request can forge the servers' answer that no node is
//!   subscribed for the user, because the servers' answers have no tag. Then a phone is woken
//!   without need.
//! - An attacker can deliver a frame that a node missed, within a minute.
//! - A node remembers 1,024 other nodes. If frames come from more nodes within two minutes, it
//!   refuses the frames of the further nodes, except frames without a stamp.
//! - Frames of a node whose clock was ahead have a time in the future. After this node has ended,
//!   an attacker can replay them at that time to a node that started later. That node accepts each
//!   of them once.
//! - Hints have no stamp, so a recorded hint stays valid after a store is restored from a backup.
//!   The restored store gives the number of the hint to another entry. So change the key after a
//!   restore.
//!
//! Two notifiers on one bus need a hub each, because the id of the hub identifies the frames of a
//! node. A second notifier on the same hub must start after the first one has ended.
//!
//! Without a key, hints have only the number, and sessions read the store for each entry. A forged
//! number costs a read of the store and nothing else. No frame is refused because of its age or
//! because it is repeated: an attacker can forge a new frame as easily as replay one. But every
//! client that may publish can:
//!
//! - end sessions, by orders and claims;
//! - invent nodes, so that orders wait for their confirmations in vain;
//! - report an absent user as connected, so that no phone is woken.
//!
//! With or without a key, give only the nodes access to the servers ([`NatsAuth`], [`NatsTls`]),
//! with the right to publish and subscribe to `dm.>`.
//!
//! # Ending sessions
//!
//! [`Service::disconnect`](dm_core::Service::disconnect) and forgetting a device end sessions on
//! all nodes. The order goes to `dm.nodes`, and each node executes and confirms it. The result has
//! two parts:
//!
//! - The nodes that confirmed within [`NatsConfig::confirm_timeout`].
//! - The expected number of nodes: this node, and the verified nodes with a heartbeat in the last
//!   three [`heartbeat`](NatsConfig::heartbeat) intervals. The number is unknown if in this time a
//!   frame came from a node that is not verified or has another version. Orders do not wait for
//!   such a node. An attacker who replays heartbeats can make the number unknown, but cannot make
//!   orders wait.
//!
//! A node that missed the order does not get it later. Its sessions continue until the host's own
//! check refuses them, at the next ping of their sockets.
//!
//! When a device connects to another node, its older session ends with
//! [`SessionEnd::Replaced`](dm_core::SessionEnd::Replaced), as on one node. The newer session is
//! chosen by the ages of the sessions, each measured by its own node, so the clocks of the nodes do
//! not matter ([`Term`](dm_core::notify::Term) has the details):
//!
//! - Of two sessions that begin within the transfer time of a frame, exactly one ends.
//! - Between verified nodes with a key, the transfer time of a claim is added to the age in the
//!   claim. So a delayed claim ends no newer session.
//! - Two sessions that begin while the nodes cannot reach each other are compared when the nodes
//!   reach each other again.
//! - If a claim is lost, both sessions continue, each with all entries, until the device connects
//!   again or the node connects to the servers again.
//!
//! # Failures
//!
//! - The servers cannot be reached, at the start or later: sessions continue, messages of other
//!   nodes are found by polling, and [`NatsNotifier::health`] shows the failure. Hints are dropped
//!   until the servers are reached.
//! - The servers are reached again: the client subscribes again, and the sessions of all subscribed
//!   users read the store, 64 users every 25 ms to limit the load.
//! - There are more hints to publish than the connection can take: hints are dropped and counted.
//!   No caller waits.
//! - A user connects while a message is sent: the node sends a probe to its own new subscription.
//!   When the probe arrives, the user's sessions read the store once, and find entries whose hints
//!   were published before the subscription.
//!
//! # Costs
//!
//! A connected user takes 7 KB more memory than on the hub alone, nearly all of it for the channel
//! of the subscription. The start of the user's first session reads the store once more. A message
//! reaches another node 0.2 ms after the commit was answered (99th percentile: 0.5 ms), measured on
//! one machine with two cores, at 5,000 messages a second (`examples/push.rs`). The hints of one
//! commit are written together.
//!
//! # Presence
//!
//! [`notify`](dm_core::notify::Notifier::notify) answers for this node only, because asking other
//! nodes takes longer than a commit may wait. [`NatsNotifier::presence`] asks the other nodes. A
//! host that wants to wake phones calls it in a task of its own, after `notify`. If no node is
//! subscribed for a user, a server answers at once. Otherwise the notifier waits for the answer of
//! a subscribed node.
//!
//! ```
//! use dm_core::DisconnectReport;
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
//!     async fn end_sessions(&self, order: &EndSessions) -> DisconnectReport {
//!         self.0.end_sessions(order).await
//!     }
//! }
//! ```
//!
//! # Logs
//!
//! This crate logs lengths, the first digits of a user's id, and error texts of the servers without
//! subjects. The `async-nats` crate itself logs subjects, which hold whole ids, at its level
//! `debug`, and whole messages, encrypted as they are, at `trace`: keep `async_nats=info`, even if
//! other crates have a lower level.
//!
//! # Modules, in reading order
//!
//! `config` and `notifier` are the interface for hosts. `shared` is the state that all tasks share.
//! `subscriptions` subscribes for the users with a session here, and receives their frames.
//! `publish_queue` publishes hints. `requests` has requests and replies, and `presence` is one kind
//! of request. `takeover` sends claims. `nodes` sends heartbeats and receives the frames of nodes,
//! `orders` sends orders, and `challenge`, `pending_challenges` and `peers` find out which nodes
//! are alive. `codec` encodes and decodes frames, and `mac` makes and verifies tags.
//! `replay_filter` and `replay_window` refuse replayed frames. `connect`, `subjects`, `counters`
//! and `error` are used by the others.

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

/// Resolves when `stop` becomes true or its sender is dropped. Each task of the notifier then ends.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
