//! Orders to end sessions: given to all nodes, and confirmed by them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use dm_core::Disconnected;
use dm_core::notify::{EndSessions, NodeId, Notifier as _};
use tokio::sync::Semaphore;

use crate::requests::{Reply, Replies};
use crate::codec::{Frame, NodeContent, Nonce};
use crate::shared::Shared;

/// Orders whose confirmations are counted at once. Further ones wait for half of the time that an
/// order has, and are then given without: a client that forgets devices without end must not keep
/// somebody's sessions from being ended.
const MAX_COUNTED: usize = 64;

#[derive(Debug)]
pub(crate) struct Orders {
    permits: Semaphore,
    timeout: Duration,
}

impl Orders {
    pub(crate) const fn new(timeout: Duration) -> Self {
        Self { permits: Semaphore::const_new(MAX_COUNTED), timeout }
    }

    /// Ends sessions here, and has the other nodes end theirs.
    pub(crate) async fn give(&self, shared: &Arc<Shared>, order: &EndSessions) -> Disconnected {
        let here = shared.hub.end_sessions(order).await;
        // Unless the others say more, nobody knows how many there are.
        let mut known = Disconnected { expected: None, ..here };
        if shared.is_connected() {
            // Nodes that are said to be there and were not met are not waited for: anybody may say
            // again what they said. But they may have sessions.
            let in_doubt = shared.peers.has_unverified();
            // Confirmations count that came by the end of the time.
            let _ = tokio::time::timeout(self.timeout, self.ask(shared, order, &mut known)).await;
            if in_doubt || shared.peers.has_unverified() {
                known.expected = None;
            }
        }
        let outcome = match known.expected {
            None => "unknown",
            Some(_) if known.is_complete() => "complete",
            Some(_) => "incomplete",
        };
        metrics::counter!("dm_nats_orders_total", "outcome" => outcome).increment(1);
        known
    }

    async fn ask(&self, shared: &Arc<Shared>, order: &EndSessions, known: &mut Disconnected) {
        let nodes = shared.subjects.nodes().clone();
        let question = |nonce| shared.writer.order(shared.stamp(), nonce, order);
        let Ok(Ok(_permit)) = tokio::time::timeout(self.timeout / 2, self.permits.acquire()).await else {
            // Nobody listens for the confirmations.
            return shared.publish(nodes, question(Nonce::fresh())).await;
        };
        let peers = shared.peers.known(shared.connects());
        let Some(mut replies) = shared.request(nodes, question).await else { return };
        known.expected = peers.as_ref().map(|peers| 1 + peers.len());
        gather(shared, &mut replies, peers, known).await;
    }
}

/// Takes confirmations until all that are known to be there have confirmed.
async fn gather(shared: &Shared, replies: &mut Replies, peers: Option<Vec<NodeId>>, known: &mut Disconnected) {
    let mut missing = peers.map(HashSet::<NodeId>::from_iter);
    while missing.as_ref().is_none_or(|missing| !missing.is_empty()) {
        let Frame { from, content } = match replies.next(shared).await {
            Some(Reply::Frame(frame)) => frame,
            // By the servers, or somebody who says so: this node itself is subscribed.
            Some(Reply::NoResponders) => continue,
            None => return,
        };
        let NodeContent::Done { sessions } = content else { continue };
        if known.confirmed.contains(&from) {
            continue;
        }
        known.confirmed.push(from);
        known.sessions += sessions as usize;
        if let Some(missing) = &mut missing
            && !missing.remove(&from)
        {
            // One that was not known yet to be there.
            known.expected = known.expected.map(|expected| expected + 1);
        }
    }
}
