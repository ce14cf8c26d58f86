//! For whom this node is subscribed: the users with a session here.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_nats::Subscriber;
use dm_core::UserId;
use dm_core::notify::{EntryHint, HubWatch, Notification, Notifier as _};
use futures_util::StreamExt as _;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::codec::{Objection, UserContent};
use crate::counters::DropReason;
use crate::shared::Shared;

/// How often to look whether the servers were reached again, where the connection is the host's and tells nothing.
const LOOK: Duration = Duration::from_secs(1);
/// Users whose sessions read the store at once after the servers were reached again, and the pause before the next.
const STEP: usize = 64;
const PAUSE: Duration = Duration::from_millis(25);

pub(crate) struct Subscriptions {
    shared: Arc<Shared>,
    watch: HubWatch,
    /// Users with new device sessions, which other nodes are to hear of.
    new_claims: HubWatch,
    /// Whether it takes up the sessions that are there: an earlier notifier of the hub may have
    /// told of them, and other nodes may have forgotten that.
    claims_all: bool,
    /// Users subscribed for. Dropping the sender ends the subscription.
    subscribed: HashMap<UserId, oneshot::Sender<()>>,
    listeners: JoinSet<()>,
    /// Users whose subscriptions may have missed hints, and whose sessions are to read the store.
    to_probe: VecDeque<UserId>,
    /// How often the servers had been reached when that was last looked at.
    connects: u64,
}

impl Subscriptions {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let (watch, new_claims) = (shared.hub.watch(), shared.hub.watch_claims());
        let connects = shared.connects();
        Self {
            shared,
            watch,
            new_claims,
            claims_all: true,
            subscribed: HashMap::new(),
            listeners: JoinSet::new(),
            to_probe: VecDeque::new(),
            connects,
        }
    }

    /// Follows who comes and goes until told to stop, then unsubscribes.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            () = crate::stopped(&mut stop) => {}
            () = self.serve() => {}
        }
        self.subscribed.clear();
        self.shared.counters.subscriptions(0);
        while self.listeners.join_next().await.is_some() {}
    }

    async fn serve(&mut self) {
        let mut look = tokio::time::interval(LOOK);
        let mut pause = tokio::time::interval(PAUSE);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let shared = Arc::clone(&self.shared);
        loop {
            tokio::select! {
                users = self.watch.changed() => {
                    for user in users {
                        self.reconcile(user).await;
                    }
                    while self.listeners.try_join_next().is_some() {}
                    self.shared.counters.subscriptions(self.subscribed.len());
                }
                users = self.new_claims.changed() => {
                    let claims_all = std::mem::take(&mut self.claims_all);
                    for user in users {
                        // First, so that objections are heard.
                        self.reconcile(user).await;
                        if claims_all {
                            self.shared.claim_all(user).await;
                        } else {
                            self.shared.claim_new(user).await;
                        }
                    }
                }
                () = shared.events.connected.notified() => self.look(),
                _ = look.tick() => self.look(),
                _ = pause.tick(), if !self.to_probe.is_empty() => self.probe_some().await,
            }
        }
    }

    /// Subscribes for a user who is here, and ends the subscription of one who is not.
    async fn reconcile(&mut self, user: UserId) {
        if !self.shared.hub.is_connected(user) {
            self.subscribed.remove(&user);
        } else if !self.subscribed.contains_key(&user) {
            let subject = self.shared.subjects.user(user);
            match self.shared.client.subscribe(subject).await {
                Ok(subscriber) => {
                    let (stay, gone) = oneshot::channel();
                    self.subscribed.insert(user, stay);
                    // The probes of this subscription are numbered from here on.
                    let first_probe = self.shared.next_stamp();
                    let shared = Arc::clone(&self.shared);
                    self.listeners.spawn(listen(shared, user, subscriber, first_probe, gone));
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
        // In the same queue as the subscription, so that it is behind it. If it is lost, sessions
        // poll.
        let probe = self.shared.writer.probe(self.shared.stamp());
        self.shared.publish(self.shared.subjects.user(user), probe).await;
    }

    /// Suspects all subscriptions once the servers were reached again.
    fn look(&mut self) {
        let connects = self.shared.connects();
        if self.connects != connects {
            self.connects = connects;
            self.to_probe = self.subscribed.keys().copied().collect();
        }
    }

    async fn probe_some(&mut self) {
        if !self.shared.is_connected() {
            return;
        }
        for user in self.to_probe.drain(..STEP.min(self.to_probe.len())).collect::<Vec<_>>() {
            if self.subscribed.contains_key(&user) {
                self.probe(user).await;
                self.shared.repeat_claims(user).await;
            }
        }
    }
}

/// Passes on what comes for a user, until the user is gone.
async fn listen(
    shared: Arc<Shared>,
    user: UserId,
    mut subscriber: Subscriber,
    mut next_probe: u64,
    mut gone: oneshot::Receiver<()>,
) {
    loop {
        tokio::select! {
            biased;
            _ = &mut gone => break,
            message = subscriber.next() => match message {
                Some(message) => shared.take(user, message, &mut next_probe).await,
                None => return,
            },
        }
    }
    // Dropping it would do so, too, unless too much waits at that moment.
    let _ = subscriber.unsubscribe().await;
}

impl Shared {
    async fn take(&self, user: UserId, message: async_nats::Message, next_probe: &mut u64) {
        let frame = match self.receive(user, &message.subject, &message.payload) {
            Ok(frame) => frame,
            Err(why) => {
                tracing::debug!(user = ?user, len = message.payload.len(), ?why, "a frame is dropped");
                return self.counters.frame_dropped(why);
            }
        };
        if self.is_own(frame.from) {
            // Its own sessions have the rest from the hub.
            if let UserContent::Probe(stamp) = frame.content {
                // Said again by somebody, it would cost a read of the store. Without a key anybody
                // can have that, and could have the node's own refused.
                if self.mac.is_keyed() && stamp.count < *next_probe {
                    return self.counters.frame_dropped(DropReason::Repeated);
                }
                *next_probe = stamp.count.saturating_add(1);
                self.hub.recheck(user);
            }
            return;
        }
        match frame.content {
            UserContent::Entry(entry) => {
                self.counters.received();
                // The hub does not wait and cannot fail.
                let _ = self.hub.notify(&[Notification { user, entry }]).await;
            }
            UserContent::Number { seq, origin } => {
                self.counters.received_number();
                // Without a key nobody may say what a session caused itself: it would pass over
                // that.
                let origin = origin.filter(|_| self.mac.is_keyed());
                self.hub.hint(&EntryHint { user, seq, origin });
            }
            UserContent::Question(nonce) => {
                // Only "yes" is said: a "no" could be the first answer of several.
                if self.hub.is_connected(user) {
                    let subject = self.subjects.replies(nonce);
                    let answer = self.mac.append(&subject, self.writer.here());
                    self.publish_queue.push(subject, answer);
                }
            }
            UserContent::Claims { stamp, claims } => {
                // The sessions went on while the frame was under way.
                let late = self.replay_filter.since(frame.from, stamp);
                for mut claim in claims {
                    claim.age = claim.age.saturating_add(late);
                    self.contend(&claim).await;
                }
            }
            UserContent::Objection(Objection { device, session, theirs, .. }) => {
                self.hub.objection(user, &device, session, theirs);
            }
            UserContent::Probe(_) => {}
        }
    }
}
