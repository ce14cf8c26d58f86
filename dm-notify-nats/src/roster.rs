//! For whom this node is subscribed: the users with a session here.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, Subscriber};
use dm_core::{EntryHint, Hub, HubWatch, Notification, Notifier as _, UserId};
use futures_util::StreamExt as _;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::codec::{Frame, NodeId, Said, Undecodable};
use crate::connect::Events;
use crate::counters::Counters;
use crate::outbox::Outbox;
use crate::subjects::Subjects;

/// How often to look whether the servers were reached again, where the connection is the host's and tells nothing.
const LOOK: Duration = Duration::from_secs(1);
/// Users whose sessions read the store at once after the servers were reached again, and the pause before the next.
const STEP: usize = 64;
const PAUSE: Duration = Duration::from_millis(25);

/// What subscribing and listening take.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) hub: Hub,
    pub(crate) client: Client,
    pub(crate) node: NodeId,
    pub(crate) subjects: Subjects,
    pub(crate) outbox: Outbox,
    pub(crate) counters: Arc<Counters>,
    pub(crate) events: Arc<Events>,
}

pub(crate) struct Roster {
    parts: Arc<Parts>,
    watch: HubWatch,
    /// Users subscribed for. Dropping the sender ends the subscription.
    here: HashMap<UserId, oneshot::Sender<()>>,
    listeners: JoinSet<()>,
    /// Users whose subscriptions may have missed hints, and whose sessions are to read the store.
    suspect: VecDeque<UserId>,
    /// How often the servers had been reached when that was last looked at.
    connects: u64,
}

impl Roster {
    pub(crate) fn new(parts: Arc<Parts>) -> Self {
        let watch = parts.hub.watch();
        let connects = connects(&parts.client);
        Self {
            parts,
            watch,
            here: HashMap::new(),
            listeners: JoinSet::new(),
            suspect: VecDeque::new(),
            connects,
        }
    }

    /// Follows who comes and goes until told to stop, then unsubscribes.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            () = crate::stopped(&mut stop) => {}
            () = self.serve() => {}
        }
        self.here.clear();
        self.parts.counters.subscriptions(0);
        while self.listeners.join_next().await.is_some() {}
    }

    async fn serve(&mut self) {
        let mut look = tokio::time::interval(LOOK);
        let mut pause = tokio::time::interval(PAUSE);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let parts = Arc::clone(&self.parts);
        loop {
            tokio::select! {
                users = self.watch.changed() => {
                    for user in users {
                        self.settle(user).await;
                    }
                    while self.listeners.try_join_next().is_some() {}
                    self.parts.counters.subscriptions(self.here.len());
                }
                () = parts.events.connected.notified() => self.look(),
                _ = look.tick() => self.look(),
                _ = pause.tick(), if !self.suspect.is_empty() => self.probe_some().await,
            }
        }
    }

    /// Subscribes for a user who is here, and ends the subscription of one who is not.
    async fn settle(&mut self, user: UserId) {
        if !self.parts.hub.is_connected(user) {
            self.here.remove(&user);
        } else if !self.here.contains_key(&user) {
            let subject = self.parts.subjects.of(user);
            match self.parts.client.subscribe(subject).await {
                Ok(subscriber) => {
                    let (stay, gone) = oneshot::channel();
                    self.here.insert(user, stay);
                    self.listeners.spawn(listen(Arc::clone(&self.parts), user, subscriber, gone));
                    self.probe(user).await;
                }
                // The connection was closed by whoever owns it. Sessions poll.
                Err(error) => tracing::warn!(error = %error.kind(), "cannot subscribe on NATS"),
            }
        }
    }

    /// Publishes what comes back once the subscription has begun. What was hinted before that was missed, and what was
    /// committed by then the sessions find in the store.
    async fn probe(&self, user: UserId) {
        let Parts { client, node, subjects, .. } = &*self.parts;
        if client.connection_state() == State::Connected {
            // In the same queue as the subscription, so that it is behind it. If it is lost, sessions poll.
            let _ = client.publish(subjects.of(user), node.probe()).await;
        }
    }

    /// Suspects all subscriptions once the servers were reached again.
    fn look(&mut self) {
        let connects = connects(&self.parts.client);
        if self.connects != connects {
            self.connects = connects;
            self.suspect = self.here.keys().copied().collect();
        }
    }

    async fn probe_some(&mut self) {
        if self.parts.client.connection_state() != State::Connected {
            return;
        }
        for user in self.suspect.drain(..STEP.min(self.suspect.len())).collect::<Vec<_>>() {
            if self.here.contains_key(&user) {
                self.probe(user).await;
            }
        }
    }
}

fn connects(client: &Client) -> u64 {
    client.statistics().connects.load(Ordering::Relaxed)
}

/// Passes on what comes for a user, until the user is gone.
async fn listen(
    parts: Arc<Parts>,
    user: UserId,
    mut subscriber: Subscriber,
    mut gone: oneshot::Receiver<()>,
) {
    loop {
        tokio::select! {
            biased;
            _ = &mut gone => break,
            message = subscriber.next() => match message {
                Some(message) => parts.take(user, message).await,
                None => return,
            },
        }
    }
    // Dropping it would do so, too, unless too much waits at that moment.
    let _ = subscriber.unsubscribe().await;
}

impl Parts {
    async fn take(&self, user: UserId, message: async_nats::Message) {
        let frame = match Frame::decode(&message.payload, user) {
            Ok(frame) => frame,
            Err(Undecodable) => {
                tracing::debug!(user = ?user, len = message.payload.len(), "no hint of this version");
                return self.counters.undecodable();
            }
        };
        match frame.said {
            Said::Probe if frame.from == self.node => self.hub.recheck(user),
            // Its own sessions have it from the hub; the rest is for others to hear.
            _ if frame.from == self.node => {}
            Said::Entry(entry) => {
                self.counters.received();
                // The hub does not wait and cannot fail.
                let _ = self.hub.notify(&[Notification { user, entry }]).await;
            }
            Said::Number { seq, origin } => {
                self.counters.received_number();
                self.hub.hint(&EntryHint { user, seq, origin });
            }
            Said::Question => {
                // Only "yes" is said: a "no" could be the first answer of several.
                if let Some(reply) = message.reply.filter(|_| self.hub.is_connected(user)) {
                    self.outbox.offer(reply, bytes::Bytes::new());
                }
            }
            Said::Probe => {}
        }
    }
}
