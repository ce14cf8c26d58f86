//! [`AckQueue`]: the acknowledgements that a client requested after its hello and that are not
//! stored yet. One is stored at a time, and those that wait are merged where possible.

use std::collections::VecDeque;

use dm_core::{AckTarget, Error, InboxSeq, MessageId};
use dm_proto::DmAck;

use super::acknowledgement::Acknowledgement;
use crate::parse;
use crate::problem::Problem;

/// The acknowledgements of one connection that are not stored yet.
#[derive(Debug, Default)]
pub(super) struct AckQueue {
    waiting: VecDeque<AckRequest>,
    /// Whether an acknowledgement is being stored.
    storing: bool,
    /// The newest position that was delivered. An acknowledgement up to this position or a lower
    /// one is never refused, because the entry exists.
    newest_delivered: InboxSeq,
}

/// One request of the client to acknowledge a position, messages or both.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AckRequest {
    request_id: String,
    /// The position up to which all entries are acknowledged.
    up_to: Option<InboxSeq>,
    /// Single messages; may be empty.
    messages: Vec<MessageId>,
}

impl AckRequest {
    /// Parses an acknowledgement, which may name at most `max_ids` messages.
    pub(super) fn new(request_id: String, ack: &DmAck, max_ids: usize) -> Result<Self, Problem> {
        if ack.message_ids.len() > max_ids {
            return Err(Error::TooLarge { field: "message_ids", limit: max_ids }.into());
        }
        let ids = ack.message_ids.iter().map(|id| parse::id("message_ids", id));
        let messages = ids.collect::<Result<Vec<MessageId>, Problem>>()?;
        let up_to = Some(ack.up_to).filter(|up_to| *up_to != 0).map(InboxSeq::new);
        if up_to.is_none() && messages.is_empty() {
            return Err(Problem::malformed("up_to", "missing"));
        }
        Ok(Self { request_id, up_to, messages })
    }
}

impl AckQueue {
    /// Records that all entries up to a position are delivered.
    pub(super) fn record_delivered(&mut self, position: InboxSeq) {
        self.newest_delivered = self.newest_delivered.max(position);
    }

    pub(super) fn push(&mut self, request: AckRequest) {
        self.waiting.push_back(request);
    }

    /// Returns the next acknowledgement to store; `None` while another one is being stored or if no
    /// request waits.
    ///
    /// Consecutive requests that name only a delivered position are merged into one acknowledgement
    /// of the highest position. Any other request is stored alone: the core may refuse it, and the
    /// refusal must not affect other requests.
    pub(super) fn next(&mut self) -> Option<Acknowledgement> {
        if self.storing {
            return None;
        }
        let first = self.waiting.pop_front()?;
        self.storing = true;
        let can_merge = |request: &AckRequest| {
            request.messages.is_empty() && request.up_to.is_some_and(|up_to| up_to <= self.newest_delivered)
        };
        let mut up_to = first.up_to;
        let mut request_ids = Vec::new();
        if can_merge(&first) {
            while let Some(next) = self.waiting.pop_front_if(|next| can_merge(next)) {
                up_to = up_to.max(next.up_to);
                request_ids.push(next.request_id);
            }
        }
        request_ids.insert(0, first.request_id);
        let messages = Some(first.messages).filter(|messages| !messages.is_empty());
        let targets = up_to.map(AckTarget::UpTo).into_iter().chain(messages.map(AckTarget::Messages));
        Some(Acknowledgement { request_ids, targets: targets.collect() })
    }

    /// Records that the acknowledgement of the last [`next`](Self::next) is stored or refused.
    pub(super) const fn record_stored(&mut self) {
        self.storing = false;
    }

    /// The number of requests that wait to be stored.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(request_id: &str, up_to: u64, ids: &[&str]) -> AckRequest {
        let message_ids = ids.iter().map(|id| (*id).to_owned()).collect();
        AckRequest::new(request_id.to_owned(), &DmAck { up_to, message_ids }, 1_000).unwrap()
    }

    fn up_to(n: u64) -> Vec<AckTarget> {
        vec![AckTarget::UpTo(InboxSeq::new(n))]
    }

    #[test]
    fn waiting_positions_are_merged_into_the_highest_one() {
        let mut queue = AckQueue::default();
        queue.record_delivered(InboxSeq::new(9));
        for (id, position) in [("a", 3), ("b", 9), ("c", 5)] {
            queue.push(request(id, position, &[]));
        }
        let next = queue.next().unwrap();
        assert_eq!((next.request_ids, next.targets), (vec!["a".into(), "b".into(), "c".into()], up_to(9)));
        queue.push(request("d", 9, &[]));
        assert_eq!(queue.next(), None, "one write at a time");
        queue.record_stored();
        assert!(queue.next().is_some());
    }

    #[test]
    fn a_request_that_may_be_refused_is_stored_alone() {
        let mut queue = AckQueue::default();
        queue.record_delivered(InboxSeq::new(9));
        let id = "0190b6a0-0000-7000-8000-000000000001";
        queue.push(request("known", 9, &[]));
        queue.push(request("beyond", 10, &[]));
        queue.push(request("ids", 9, &[id]));
        queue.push(request("again", 4, &[]));
        let mut alone = Vec::new();
        while let Some(next) = queue.next() {
            alone.push((next.request_ids, next.targets.len()));
            queue.record_stored();
        }
        let expected = [("known", 1), ("beyond", 1), ("ids", 2), ("again", 1)];
        assert_eq!(alone, expected.map(|(id, targets)| (vec![id.to_owned()], targets)));
    }

    #[test]
    fn an_empty_malformed_or_too_long_acknowledgement_is_refused() {
        let refused = |up_to, ids: Vec<String>| {
            AckRequest::new(String::new(), &DmAck { up_to, message_ids: ids }, 2).is_err()
        };
        let id = "0190b6a0-0000-7000-8000-000000000001".to_owned();
        assert!(refused(0, vec![]));
        assert!(refused(1, vec!["x".to_owned()]));
        assert!(refused(1, vec![id.clone(); 3]));
        assert!(!refused(0, vec![id; 2]));
    }
}
