//! Orders, which are requests to end sessions: sends them to all nodes, and counts the nodes that
//! confirm.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use dm_core::DisconnectReport;
use dm_core::notify::{EndSessions, NodeId, Notifier as _};
use tokio::sync::Semaphore;

use crate::codec::{Frame, NodeContent, Nonce};
use crate::requests::{Replies, Reply};
use crate::shared::Shared;

/// The maximum number of orders whose confirmations are counted at once. A further order waits at
/// most half of its time limit, and is then sent without counting. So a client that forgets devices
/// in a loop delays other orders by no more than this time.
const MAX_COUNTED: usize = 64;

/// Sends orders and counts the confirmations.
#[derive(Debug)]
pub(crate) struct Orders {
    permits: Semaphore,
    timeout: Duration,
}

impl Orders {
    pub(crate) const fn new(timeout: Duration) -> Self {
        Self { permits: Semaphore::const_new(MAX_COUNTED), timeout }
    }

    /// Ends sessions here, and orders the other nodes to end theirs. Returns the nodes that
    /// confirmed within the time limit.
    pub(crate) async fn issue(&self, shared: &Arc<Shared>, order: &EndSessions) -> DisconnectReport {
        let here = shared.hub.end_sessions(order).await;
        // The expected number of nodes stays unknown unless the other nodes are known.
        let mut result = DisconnectReport { expected: None, ..here };
        if shared.is_connected() {
            // The order does not wait for nodes that are not verified, because their heartbeats may
            // be replayed. But such a node may have sessions, so the expected number is unknown.
            let had_unverified = shared.peers.has_unverified();
            // After a timeout, `result` has the confirmations that arrived before it.
            let _ = tokio::time::timeout(self.timeout, self.send(shared, order, &mut result)).await;
            if had_unverified || shared.peers.has_unverified() {
                result.expected = None;
            }
        }
        let outcome = match result.expected {
            None => "unknown",
            Some(_) if result.is_complete() => "complete",
            Some(_) => "incomplete",
        };
        metrics::counter!("dm_nats_orders_total", "outcome" => outcome).increment(1);
        result
    }

    /// Sends an order, and adds the confirming nodes to `result` until all known nodes have
    /// confirmed.
    async fn send(&self, shared: &Arc<Shared>, order: &EndSessions, result: &mut DisconnectReport) {
        let nodes = shared.subjects.nodes().clone();
        let frame = |nonce| shared.writer.order(shared.new_stamp(), nonce, order);
        let Ok(Ok(_permit)) = tokio::time::timeout(self.timeout / 2, self.permits.acquire()).await else {
            // This node is not subscribed to the replies with this nonce, so it gets no
            // confirmations.
            return shared.publish(nodes, frame(Nonce::fresh())).await;
        };
        let peers = shared.peers.alive_nodes(shared.connection_count());
        let Some(mut replies) = shared.request(nodes, frame).await else { return };
        // This node is expected, too, and has confirmed.
        result.expected = peers.as_ref().map(|peers| 1 + peers.len());
        collect_confirmations(shared, &mut replies, peers, result).await;
    }
}

/// Adds the confirming nodes to `result`, until all of `peers` have confirmed. If `peers` is
/// `None`, this function runs until the caller's timeout ends it.
async fn collect_confirmations(
    shared: &Shared,
    replies: &mut Replies,
    peers: Option<Vec<NodeId>>,
    result: &mut DisconnectReport,
) {
    let mut missing = peers.map(HashSet::<NodeId>::from_iter);
    while missing.as_ref().is_none_or(|missing| !missing.is_empty()) {
        let Frame { from, content } = match replies.next(shared).await {
            Some(Reply::Frame(frame)) => frame,
            // This node itself is subscribed to the subject, so the servers' answer that no node is
            // subscribed must be forged.
            Some(Reply::NoResponders) => continue,
            None => return,
        };
        let NodeContent::Confirmation { sessions } = content else { continue };
        if result.confirmed.contains(&from) {
            continue;
        }
        result.confirmed.push(from);
        result.sessions += sessions as usize;
        if let Some(missing) = &mut missing
            && !missing.remove(&from)
        {
            // The confirming node was not in `peers`.
            result.expected = result.expected.map(|expected| expected + 1);
        }
    }
}
