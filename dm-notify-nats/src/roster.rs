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

use crate::codec::{Objection, Said};
use crate::counters::Refusal;
use crate::parts::Parts;

/// How often to look whether the servers were reached again, where the connection is the host's and tells nothing.
const LOOK: Duration = Duration::from_secs(1);
/// Users whose sessions read the store at once after the servers were reached again, and the pause before the next.
const STEP: usize = 64;
const PAUSE: Duration = Duration::from_millis(25);

pub(crate) struct Roster {
    parts: Arc<Parts>,
    watch: HubWatch,
    /// Users with new device sessions, which other nodes are to hear of.
    new_claims: HubWatch,
    /// Whether it takes up the sessions that are there: an earlier notifier of the hub may have
    /// told of them, and other nodes may have forgotten that.
    takes_up: bool,
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
        let (watch, new_claims) = (parts.hub.watch(), parts.hub.watch_claims());
        let connects = parts.connects();
        Self {
            parts,
            watch,
            new_claims,
            takes_up: true,
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
                users = self.new_claims.changed() => {
                    let takes_up = std::mem::take(&mut self.takes_up);
                    for user in users {
                        // First, so that objections are heard.
                        self.settle(user).await;
                        if takes_up {
                            self.parts.take_up(user).await;
                        } else {
                            self.parts.claim(user).await;
                        }
                    }
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
                    // The probes of this subscription are numbered from here on.
                    let first_probe = self.parts.next_stamp();
                    let parts = Arc::clone(&self.parts);
                    self.listeners.spawn(listen(parts, user, subscriber, first_probe, gone));
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
        let probe = self.parts.writer.probe(self.parts.stamp());
        self.parts.publish(self.parts.subjects.of(user), probe).await;
    }

    /// Suspects all subscriptions once the servers were reached again.
    fn look(&mut self) {
        let connects = self.parts.connects();
        if self.connects != connects {
            self.connects = connects;
            self.suspect = self.here.keys().copied().collect();
        }
    }

    async fn probe_some(&mut self) {
        if !self.parts.is_connected() {
            return;
        }
        for user in self.suspect.drain(..STEP.min(self.suspect.len())).collect::<Vec<_>>() {
            if self.here.contains_key(&user) {
                self.probe(user).await;
                self.parts.claim_again(user).await;
            }
        }
    }
}

/// Passes on what comes for a user, until the user is gone.
async fn listen(
    parts: Arc<Parts>,
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
                Some(message) => parts.take(user, message, &mut next_probe).await,
                None => return,
            },
        }
    }
    // Dropping it would do so, too, unless too much waits at that moment.
    let _ = subscriber.unsubscribe().await;
}

impl Parts {
    async fn take(&self, user: UserId, message: async_nats::Message, next_probe: &mut u64) {
        let frame = match self.hear(user, &message.subject, &message.payload) {
            Ok(frame) => frame,
            Err(why) => {
                tracing::debug!(user = ?user, len = message.payload.len(), ?why, "a frame is dropped");
                return self.counters.refused(why);
            }
        };
        if self.is_own(frame.from) {
            // Its own sessions have the rest from the hub.
            if let Said::Probe(stamp) = frame.said {
                // Said again by somebody, it would cost a read of the store. Without a key anybody
                // can have that, and could have the node's own refused.
                if self.seal.is_keyed() && stamp.count < *next_probe {
                    return self.counters.refused(Refusal::Repeated);
                }
                *next_probe = stamp.count.saturating_add(1);
                self.hub.recheck(user);
            }
            return;
        }
        match frame.said {
            Said::Entry(entry) => {
                self.counters.received();
                // The hub does not wait and cannot fail.
                let _ = self.hub.notify(&[Notification { user, entry }]).await;
            }
            Said::Number { seq, origin } => {
                self.counters.received_number();
                // Without a key nobody may say what a session caused itself: it would pass over
                // that.
                let origin = origin.filter(|_| self.seal.is_keyed());
                self.hub.hint(&EntryHint { user, seq, origin });
            }
            Said::Question(nonce) => {
                // Only "yes" is said: a "no" could be the first answer of several.
                if self.hub.is_connected(user) {
                    let subject = self.subjects.answers(nonce);
                    let answer = self.seal.close(&subject, self.writer.here());
                    self.outbox.offer(subject, answer);
                }
            }
            Said::Claims { stamp, claims } => {
                // The sessions went on while the frame was under way.
                let late = self.freshness.since(frame.from, stamp);
                for mut claim in claims {
                    claim.age = claim.age.saturating_add(late);
                    self.contend(&claim).await;
                }
            }
            Said::Objection(Objection { device, session, theirs, .. }) => {
                self.hub.objection(user, &device, session, theirs);
            }
            Said::Probe(_) => {}
        }
    }
}
