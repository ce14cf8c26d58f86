//! The subscriptions of this node: one for each user with a session here.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_nats::Subscriber;
use dm_core::UserId;
use dm_core::notify::{HubWatch, Notification, Notifier as _, SeqHint};
use futures_util::StreamExt as _;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::codec::{Objection, UserContent};
use crate::counters::RefusalReason;
use crate::shared::Shared;

/// The interval of checks whether the client has connected to the servers again. These checks are
/// needed because a connection that the host made reports no event when it connects again.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// The maximum number of users who are probed at once after the servers were reached again. The
/// next users follow after [`PROBE_PAUSE`], so that not all sessions read the store at once.
const PROBE_GROUP: usize = 64;
/// The time between two groups of at most [`PROBE_GROUP`] probes.
const PROBE_PAUSE: Duration = Duration::from_millis(25);

/// Subscribes for each user with a session in the hub, and unsubscribes after the user's last
/// session.
pub(crate) struct Subscriptions {
    shared: Arc<Shared>,
    /// Users whose first session started or whose last session ended.
    watch: HubWatch,
    /// Users with new device sessions whose claims are not sent yet. A *claim* tells other nodes of
    /// a device session, so that they end their older sessions of this device.
    new_claims: HubWatch,
    /// Whether the next claims are for all existing sessions and not only for new ones. True at the
    /// start, because an earlier notifier of the hub may have claimed the sessions in frames that
    /// were lost.
    claims_all: bool,
    /// The subscribed users. Dropping the sender ends the subscription.
    subscribed: HashMap<UserId, oneshot::Sender<()>>,
    listeners: JoinSet<()>,
    /// Users whose subscriptions may have missed hints. A *probe* is a frame that this node sends
    /// to its own subscription. When the probe arrives, the user's sessions read the store.
    to_probe: VecDeque<UserId>,
    /// The number of times that the client had connected to the servers at the last check.
    connection_count: u64,
}

impl Subscriptions {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let (watch, new_claims) = (shared.hub.watch(), shared.hub.watch_claims());
        let connection_count = shared.connection_count();
        Self {
            shared,
            watch,
            new_claims,
            claims_all: true,
            subscribed: HashMap::new(),
            listeners: JoinSet::new(),
            to_probe: VecDeque::new(),
            connection_count,
        }
    }

    /// Adds and ends subscriptions until the notifier is stopped. Then ends all subscriptions.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            () = crate::stopped(&mut stop) => {}
            () = self.serve() => {}
        }
        self.subscribed.clear();
        self.shared.counters.set_subscriptions(0);
        while self.listeners.join_next().await.is_some() {}
    }

    /// Handles new and ended sessions, and sends probes after the servers were reached again. Never
    /// ends.
    async fn serve(&mut self) {
        let mut check = tokio::time::interval(CHECK_INTERVAL);
        let mut pause = tokio::time::interval(PROBE_PAUSE);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let shared = Arc::clone(&self.shared);
        loop {
            tokio::select! {
                users = self.watch.changed() => {
                    for user in users {
                        self.reconcile(user).await;
                    }
                    while self.listeners.try_join_next().is_some() {}
                    self.shared.counters.set_subscriptions(self.subscribed.len());
                }
                users = self.new_claims.changed() => {
                    let claims_all = std::mem::take(&mut self.claims_all);
                    for user in users {
                        // Subscribes before the claim, so that objections to it are received.
                        self.reconcile(user).await;
                        if claims_all {
                            self.shared.claim_all(user).await;
                        } else {
                            self.shared.claim_new(user).await;
                        }
                    }
                }
                () = shared.events.connected.notified() => self.check_connection(),
                _ = check.tick() => self.check_connection(),
                _ = pause.tick(), if !self.to_probe.is_empty() => self.probe_next_group().await,
            }
        }
    }

    /// Subscribes for a user who is connected, or ends the subscription of a user who is not.
    async fn reconcile(&mut self, user: UserId) {
        if !self.shared.hub.is_connected(user) {
            self.subscribed.remove(&user);
        } else if !self.subscribed.contains_key(&user) {
            let subject = self.shared.subjects.user(user);
            match self.shared.client.subscribe(subject).await {
                Ok(subscriber) => {
                    let (end_on_drop, ended) = oneshot::channel();
                    self.subscribed.insert(user, end_on_drop);
                    // The stamps of this subscription's probes have this number or a higher one.
                    let first_probe = self.shared.next_stamp_number();
                    let shared = Arc::clone(&self.shared);
                    self.listeners.spawn(listen(shared, user, subscriber, first_probe, ended));
                    self.probe(user).await;
                }
                // The host has closed its connection. Sessions find entries by polling.
                Err(error) => tracing::warn!(error = %error.kind(), "cannot subscribe on NATS"),
            }
        }
    }

    /// Publishes a probe on the user's subject. When this node receives the probe, the subscription
    /// has begun. Earlier hints may have been missed, so the user's sessions then read the store.
    async fn probe(&self, user: UserId) {
        // The client sends the probe after the subscription, on the same connection. If the probe
        // is lost, sessions find entries by polling.
        let probe = self.shared.writer.probe(self.shared.new_stamp());
        self.shared.publish(self.shared.subjects.user(user), probe).await;
    }

    /// Marks all subscribed users for a probe if the servers were reached again.
    fn check_connection(&mut self) {
        let connection_count = self.shared.connection_count();
        if self.connection_count != connection_count {
            self.connection_count = connection_count;
            self.to_probe = self.subscribed.keys().copied().collect();
        }
    }

    /// Probes the subscriptions of the next marked users, and repeats the claims of these users.
    async fn probe_next_group(&mut self) {
        if !self.shared.is_connected() {
            return;
        }
        for user in self.to_probe.drain(..PROBE_GROUP.min(self.to_probe.len())).collect::<Vec<_>>() {
            if self.subscribed.contains_key(&user) {
                self.probe(user).await;
                self.shared.repeat_claims(user).await;
            }
        }
    }
}

/// Receives the messages on a user's subject until `ended` resolves: the user has no session here
/// any more, or the notifier stops. `next_probe` is the lowest number of a probe that is not a
/// replay.
async fn listen(
    shared: Arc<Shared>,
    user: UserId,
    mut subscriber: Subscriber,
    mut next_probe: u64,
    mut ended: oneshot::Receiver<()>,
) {
    loop {
        tokio::select! {
            biased;
            _ = &mut ended => break,
            message = subscriber.next() => match message {
                Some(message) => shared.receive_from_user(user, message, &mut next_probe).await,
                None => return,
            },
        }
    }
    // Dropping the subscriber would not unsubscribe while the client's command queue is full.
    let _ = subscriber.unsubscribe().await;
}

impl Shared {
    /// Handles a message on a user's subject. Probes of this node with numbers below `next_probe` are
    /// replays.
    async fn receive_from_user(&self, user: UserId, message: async_nats::Message, next_probe: &mut u64) {
        let frame = match self.open_user_frame(user, &message.subject, &message.payload) {
            Ok(frame) => frame,
            Err(reason) => {
                tracing::debug!(user = ?user, len = message.payload.len(), ?reason, "a frame is refused");
                return self.counters.count_refused(reason);
            }
        };
        if self.is_own(frame.from) {
            // The hub has already notified this node's sessions, so this node's own frames have no
            // effect, except probes.
            if let UserContent::Probe(stamp) = frame.content {
                // A replayed probe would cost a read of the store. Without a key the numbers are
                // not checked: any client can forge a probe, and a forged high number would make
                // this node refuse its own later probes.
                if self.mac.is_keyed() && stamp.number < *next_probe {
                    return self.counters.count_refused(RefusalReason::Repeated);
                }
                *next_probe = stamp.number.saturating_add(1);
                self.hub.recheck(user);
            }
            return;
        }
        match frame.content {
            UserContent::Entry(entry) => {
                self.counters.count_received();
                // `Hub::notify` never waits and never fails.
                let _ = self.hub.notify(&[Notification { user, entry }]).await;
            }
            UserContent::Number { seq, origin } => {
                self.counters.count_received_without_entry();
                // A session skips the entries that its device caused. Without a key, a forged
                // origin could make a session skip other entries.
                let origin = origin.filter(|_| self.mac.is_keyed());
                self.hub.hint(&SeqHint { user, seq, origin });
            }
            UserContent::PresenceRequest(nonce) => {
                // There is no negative reply, because the user may be connected to another node.
                if self.hub.is_connected(user) {
                    let subject = self.subjects.replies(nonce);
                    let answer = self.mac.append(&subject, self.writer.user_connected());
                    self.publish_queue.push(subject, answer);
                }
            }
            UserContent::Claims { stamp, claims } => {
                // The age in a claim is the session's age when the claim was sent. The transfer
                // time is added.
                let transfer_time = self.replay_filter.age(frame.from, stamp);
                for mut claim in claims {
                    claim.age = claim.age.saturating_add(transfer_time);
                    self.answer_claim(&claim).await;
                }
            }
            UserContent::Objection(Objection { device, session, objecting_term, .. }) => {
                self.hub.handle_objection(user, &device, session, objecting_term);
            }
            UserContent::Probe(_) => {}
        }
    }
}
