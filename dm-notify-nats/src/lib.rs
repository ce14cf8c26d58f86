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
//! // Sessions are connected as on one node: `dm.connect(&who)`; and ended as on one node:
//! // `dm.disconnect(user, None, DisconnectReason::Refused)`.
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
//! The number of the entry in the user's inbox, the device that caused it, and the entry itself if
//! that makes no more than [`NatsConfig::max_entry`] bytes. What clients encrypted stays encrypted.
//! A hint that cannot be decoded, because it is damaged or of another version, is counted and
//! dropped, and sessions find the entry by polling. The rest needs nodes of one version: orders end
//! no sessions on a node of another one, devices are not taken over there, and presence does not
//! ask it.
//!
//! # Whom a node believes
//!
//! With a key that the nodes share ([`NatsConfig::keys`]) each frame has a tag of 16 bytes, keyed
//! BLAKE2b over the subject and the frame. A message without such a tag, or with one of another key
//! or for another subject, is counted ([`NatsStats::unauthenticated`]) and dropped. A stranger on
//! the servers can then drop and delay frames and send them again, see who is connected and who is
//! sent to, and no more. A frame that is sent again has no effect, or the one that is named here:
//!
//! - Sessions take an entry by its number, once.
//! - An answer goes to a subject that only its question names, by 16 random bytes under the
//!   question's tag: it answers no other question.
//! - Each node numbers its orders, claims and heartbeats. Another node takes each of the newest
//!   8,192 once, at any rate, and none that is older, that is from more than a minute ago, or from
//!   more than a second before its own start ([`NatsStats::repeated`], [`NatsStats::stale`]). A
//!   frame that 8,192 later ones of its node overtook is lost.
//! - Questions have no stamp, whether somebody is connected and whether a node is there: one that
//!   is sent again is answered again, to nobody, at the price of a small message.
//! - A heartbeat counts once its node has answered a question of this node's own. Two nodes meet
//!   so, a moment after the later one starts, and from then on each goes by the other's clock,
//!   whatever that says. Until they met, or where one does not hear the other's answers, the minute
//!   is measured by clocks of machines that may differ: keep those close.
//!
//! Six things are left. Somebody who says recorded heartbeats of 16 nodes again without end can
//! keep a node from being met whose clock is wrong by more than a minute. Somebody who hears a
//! question of presence can answer in the name of the servers, whose word has no tag, that nobody
//! is there: then a phone is woken that need not be. A frame that a node missed can be given to it
//! later, within the minute. A node remembers 1,024 others; with more within two minutes it takes
//! nothing of a new one. Frames of a node that is gone and whose clock was ahead can be taken,
//! once, by a node that started since, when that time has come. And a hint outlives a store that is
//! restored from a backup: change the key after that. Two notifiers on one bus need a hub each,
//! since a node's frames are told apart by the hub's id; a second one on the same hub has to start
//! after the first has ended.
//!
//! Without a key hints carry the number alone, and sessions read the store for each entry. A forged
//! number costs a read of the store and nothing else. Nothing is refused for its age or for being
//! said again, since a new frame is as easily made. But anybody who may publish can then end
//! sessions, by orders and claims; can make up nodes, so that orders wait for them in vain; and can
//! say that somebody is connected who is not, so that no phone is woken.
//!
//! Either way let nobody in but the nodes ([`NatsAuth`], [`NatsTls`]), with the right to publish
//! and subscribe to `dm.>`.
//!
//! # Ending sessions
//!
//! [`Service::disconnect`](dm_core::Service::disconnect) and the forgetting of a device end
//! sessions on all nodes. The order goes to `dm.nodes`; each node carries it out and confirms. The
//! answer names the nodes that confirmed within [`NatsConfig::confirm_timeout`], and how many
//! should have, by what nodes that were met said of themselves in the last three
//! [`heartbeat`](NatsConfig::heartbeat)s. Nobody knows how many should have if in that time a frame
//! came of a node that was not met, or of another version; nobody waits for that one. Somebody who
//! says recorded heartbeats again can make it so, and no more. A node that missed the order is not
//! told again: its sessions go on until the host's own check refuses them, at the next ping of
//! their sockets.
//!
//! A device that connects to another node is taken over: its older session ends with
//! [`SessionEnd::Replaced`](dm_core::SessionEnd::Replaced), as on one node. Which of two is newer
//! does not depend on the clocks of the nodes, but on the age that each node measures of its own
//! ([`Term`](dm_core::notify::Term) says how); of two that begin within the time a frame takes exactly one
//! ends. A claim that was long under way tells of an older session, since the time is added that it
//! took, between nodes with a key that met. Two that begin while the nodes cannot hear each other
//! are settled when they can. If a claim is lost both go on, each with all entries, until the
//! device connects again or the servers are reached anew.
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
//! # What it costs
//!
//! A connected user costs 7 KB more than on the hub alone, nearly all of it in the channel of the subscription, and one
//! more read of the store when the first session comes. A push to another node takes 0.2 ms after the commit was
//! answered, and 0.5 ms in the slowest of a hundred, on one machine with two cores, at 5,000 messages a second
//! (`examples/push.rs`). Hints of one commit are written together.
//!
//! # Who is connected
//!
//! [`notify`](dm_core::notify::Notifier::notify) answers for this node only, because asking others takes longer than a commit may
//! wait. [`NatsNotifier::presence`] asks them, for whoever wants to wake a phone: after the notifier, in a task of its own.
//! A server knows at once when no node is subscribed for a user; otherwise the node that is has to say so.
//!
//! ```
//! use dm_core::Disconnected;
//! use dm_core::notify::{EndSessions, Notification, Notifier, NotifyError, Reach};
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
//!
//!     async fn end_sessions(&self, order: &EndSessions) -> Disconnected {
//!         self.0.end_sessions(order).await
//!     }
//! }
//! ```
//!
//! # What is logged
//!
//! Lengths, the first digits of a user's id, and what the servers say, less subjects. The `async-nats` crate itself prints
//! subjects, which hold whole ids, at its level `debug`, and whole messages, encrypted as they are, at `trace`: keep
//! `async_nats=info`, whatever the rest has.
//!
//! # In reading order
//!
//! `config`, `notifier`; `parts` is how something is said and heard; `roster` is who is subscribed
//! for, and what comes for them; `outbox` is what goes; `answers` are questions and what comes
//! back, `presence` is one of them; `takeover`, `nodes`, `orders`, `meeting` and `peers` are what
//! ends sessions; `codec` is the bytes, `seal` their tag, `freshness` and `window` what is not
//! taken twice; `connect`, `subjects`, `counters`, `error`.

mod requests;
mod codec;
mod config;
mod connect;
mod counters;
mod error;
mod replay_filter;
mod challenge;
mod pending_challenges;
mod nodes;
mod notifier;
mod orders;
mod publish_queue;
mod shared;
mod peers;
mod presence;
mod subscriptions;
mod mac;
mod subjects;
mod takeover;
mod replay_window;

pub use config::{NatsAuth, NatsConfig, NatsServers, NatsTls};
pub use counters::NatsStats;
pub use error::NatsError;
pub use notifier::{NatsHealth, NatsNotifier};
pub use presence::Presence;
pub use mac::HintKey;

use tokio::sync::watch;

/// Resolves once the notifier is told to stop, or is gone.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
