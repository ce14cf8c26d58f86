//! Orders to end sessions: given to all nodes, and confirmed by them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use dm_core::Disconnected;
use dm_core::notify::{EndSessions, NodeId, Notifier as _};
use tokio::sync::Semaphore;

use crate::answers::{Answer, Answers};
use crate::codec::{Frame, NodeSaid, Nonce};
use crate::parts::Parts;

/// Orders whose confirmations are counted at once. Further ones wait for half of the time that an
/// order has, and are then given without: a client that forgets devices without end must not keep
/// somebody's sessions from being ended.
const ORDERS: usize = 64;

#[derive(Debug)]
pub(crate) struct Orders {
    room: Semaphore,
    timeout: Duration,
}

impl Orders {
    pub(crate) const fn new(timeout: Duration) -> Self {
        Self { room: Semaphore::const_new(ORDERS), timeout }
    }

    /// Ends sessions here, and has the other nodes end theirs.
    pub(crate) async fn give(&self, parts: &Arc<Parts>, order: &EndSessions) -> Disconnected {
        let here = parts.hub.end_sessions(order).await;
        // Unless the others say more, nobody knows how many there are.
        let mut known = Disconnected { expected: None, ..here };
        if parts.is_connected() {
            // Nodes that are said to be there and were not met are not waited for: anybody may say
            // again what they said. But they may have sessions.
            let in_doubt = parts.peers.is_in_doubt();
            // Confirmations count that came by the end of the time.
            let _ = tokio::time::timeout(self.timeout, self.ask(parts, order, &mut known)).await;
            if in_doubt || parts.peers.is_in_doubt() {
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

    async fn ask(&self, parts: &Arc<Parts>, order: &EndSessions, known: &mut Disconnected) {
        let nodes = parts.subjects.nodes().clone();
        let question = |nonce| parts.writer.order(parts.stamp(), nonce, order);
        let Ok(Ok(_room)) = tokio::time::timeout(self.timeout / 2, self.room.acquire()).await else {
            // Nobody listens for the confirmations.
            return parts.publish(nodes, question(Nonce::fresh())).await;
        };
        let peers = parts.peers.known(parts.connects());
        let Some(mut answers) = parts.ask(nodes, question).await else { return };
        known.expected = peers.as_ref().map(|peers| 1 + peers.len());
        gather(parts, &mut answers, peers, known).await;
    }
}

/// Takes confirmations until all that are known to be there have confirmed.
async fn gather(parts: &Parts, answers: &mut Answers, peers: Option<Vec<NodeId>>, known: &mut Disconnected) {
    let mut missing = peers.map(HashSet::<NodeId>::from_iter);
    while missing.as_ref().is_none_or(|missing| !missing.is_empty()) {
        let Frame { from, said } = match answers.next(parts).await {
            Some(Answer::Said(frame)) => frame,
            // By the servers, or somebody who says so: this node itself is subscribed.
            Some(Answer::Nobody) => continue,
            None => return,
        };
        let NodeSaid::Done { sessions } = said else { continue };
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
