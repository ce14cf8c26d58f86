//! The [`Notifier`](dm_core::Notifier) of `dm-core` across nodes, on NATS.
//!
//! ```no_run
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use dm_core::{Hub, MemoryStore, Service};
//! use dm_notify_nats::NatsNotifier;
//!
//! # let store = MemoryStore::new(); // in place of one that the nodes share
//! let hub = Hub::new();
//! let nats = NatsNotifier::connect(&hub, "nats://10.0.0.5:4222").await?;
//! let dm = Service::builder(store).notifier(nats.clone()).start()?;
//! // Sessions are connected to the hub as on one node: `hub.connect(&dm, &who)`.
//! # Ok(())
//! # }
//! ```
//!
//! Each node has a [`Hub`](dm_core::Hub) with the sessions of its own clients. After a commit the hub tells those at once,
//! and a hint goes to the subject of the user, `dm.user.<id>`. A node is subscribed for the users who have a session on it,
//! once for all their devices, from the first session to the end of the last.
//!
//! Nothing depends on a hint: they may be lost, late, doubled and out of order, as core NATS has it. A session tells by the
//! number of an entry, and looks into the store every
//! [`poll_interval`](dm_core::Config::poll_interval) in any case.
//!
//! # What a hint is
//!
//! The number of the entry in the user's inbox, the device that caused it, and the entry itself if that makes no more than
//! [`NatsConfig::max_entry`] bytes. What clients encrypted stays encrypted. A hint that cannot be decoded, because it is
//! damaged or of another version, is counted and dropped; nodes of two versions work side by side, by polling.
//!
//! **The servers are trusted as the database is**: who may publish on these subjects can make sessions pass over messages.
//! Let nobody in but the nodes ([`NatsAuth`], [`NatsTls`]), with the right to publish and subscribe to `dm.>`.
//!
//! # When something fails
//!
//! - Servers cannot be reached, at the start or later: everything goes on, messages of other nodes are found by polling,
//!   [`NatsNotifier::health`] says so. Hints are dropped meanwhile and not kept.
//! - They are reached again: subscriptions are made again, and the sessions concerned look into the store, 64 users every
//!   25 ms, so that the store does not feel it.
//! - More is to be said than the connection takes: hints are dropped and counted. Nobody waits.
//! - A user connects while something is sent: a subscription is probed by a message of its own, and when that comes back
//!   the sessions look into the store once, for what was committed before.
//!
//! # Who is connected
//!
//! [`notify`](dm_core::Notifier::notify) answers for this node only, because asking others takes longer than a commit may
//! wait. [`NatsNotifier::presence`] asks them, for whoever wants to wake a phone: after the notifier, in a task of its own.
//! A server knows at once when no node is subscribed for a user; otherwise the node that is has to say so.
//!
//! ```
//! use dm_core::{Notification, Notifier, NotifyError, Reach};
//! # use dm_notify_nats::NatsNotifier;
//!
//! /// Tells all nodes, and wakes the phones of those who are on none.
//! struct Waking(NatsNotifier);
//!
//! #[async_trait::async_trait]
//! impl Notifier for Waking {
//!     async fn notify(&self, notifications: &[Notification]) -> Result<Vec<Reach>, NotifyError> {
//!         let reach = self.0.notify(notifications).await?;
//!         for (told, reach) in notifications.iter().zip(&reach) {
//!             let received = told.entry.message().is_some_and(|message| message.sender != told.user);
//!             if received && *reach == Reach::Absent {
//!                 let (nats, user) = (self.0.clone(), told.user);
//!                 tokio::spawn(async move {
//!                     if nats.presence(user).await.reach() == Reach::Absent {
//!                         // Push to the user's phone.
//!                     }
//!                 });
//!             }
//!         }
//!         Ok(reach)
//!     }
//! }
//! ```
//!
//! # What is logged
//!
//! Lengths, the first digits of a user's id, and what the servers say, less subjects. The `async-nats` crate itself prints
//! subjects, which hold whole ids, at its level `debug`: keep `async_nats=info`.
//!
//! # In reading order
//!
//! `config`, `notifier`; `roster` is who is subscribed for, and what comes for them; `outbox` is what goes; `presence`;
//! `codec` is the bytes; `connect`, `subjects`, `counters`, `error`.

mod codec;
mod config;
mod connect;
mod counters;
mod error;
mod notifier;
mod outbox;
mod presence;
mod roster;
mod subjects;

pub use config::{NatsAuth, NatsConfig, NatsServers, NatsTls};
pub use counters::NatsStats;
pub use error::NatsError;
pub use notifier::{NatsHealth, NatsNotifier};
pub use presence::Presence;

use tokio::sync::watch;

/// Resolves once the notifier is told to stop, or is gone.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
