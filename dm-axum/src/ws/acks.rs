//! Acknowledgements of a client that said hello: one commit at a time, those that wait put together.

use std::collections::VecDeque;

use dm_core::{AckTarget, Acknowledged, Error, InboxSeq, MessageId, SessionHandle};
use dm_proto::DmAck;

use crate::parse;
use crate::problem::Problem;

/// What one frame acknowledges.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) request_id: String,
    up_to: Option<InboxSeq>,
    messages: Vec<MessageId>,
}

/// The acknowledgements of one connection that are not durable yet.
#[derive(Debug, Default)]
pub(super) struct Acks {
    waiting: VecDeque<Ask>,
    running: bool,
    /// The newest entry that the client has heard of, and that is there to be acknowledged.
    known: InboxSeq,
}

/// Several asks done in one commit; the last of them stands for all.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) request_ids: Vec<String>,
    targets: Vec<AckTarget>,
}

impl Ask {
    pub(super) fn new(request_id: String, ack: &DmAck, most: usize) -> Result<Self, Problem> {
        if ack.message_ids.len() > most {
            return Err(Error::TooLarge { field: "message_ids", limit: most }.into());
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

impl Acks {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The client has been told of an entry.
    pub(super) fn knows(&mut self, seq: InboxSeq) {
        self.known = self.known.max(seq);
    }

    pub(super) fn push(&mut self, ask: Ask) {
        self.waiting.push_back(ask);
    }

    /// What to acknowledge next. Asks that name nothing but a known position become the highest of them; any other is
    /// done alone, so that one which is refused takes no other with it.
    pub(super) fn take(&mut self) -> Option<Batch> {
        if self.running {
            return None;
        }
        let first = self.waiting.pop_front()?;
        self.running = true;
        let joins = |ask: &Ask| ask.messages.is_empty() && ask.up_to.is_some_and(|up_to| up_to <= self.known);
        let mut up_to = first.up_to;
        let mut request_ids = Vec::new();
        if joins(&first) {
            while let Some(next) = self.waiting.pop_front_if(|next| joins(next)) {
                up_to = up_to.max(next.up_to);
                request_ids.push(next.request_id);
            }
        }
        request_ids.insert(0, first.request_id);
        let messages = Some(first.messages).filter(|messages| !messages.is_empty());
        let targets = up_to.map(AckTarget::UpTo).into_iter().chain(messages.map(AckTarget::Messages));
        Some(Batch { request_ids, targets: targets.collect() })
    }

    pub(super) const fn done(&mut self) {
        self.running = false;
    }
}

impl Batch {
    pub(super) async fn run(self, handle: SessionHandle) -> (Vec<String>, Result<Acknowledged, Error>) {
        let mut total: Option<Acknowledged> = None;
        for target in self.targets {
            match handle.acknowledge(target).await {
                Ok(done) => {
                    let before =
                        total.unwrap_or(Acknowledged { cursor: done.cursor, acknowledged: 0, unknown: 0 });
                    total = Some(Acknowledged {
                        cursor: done.cursor,
                        acknowledged: before.acknowledged + done.acknowledged,
                        unknown: before.unknown + done.unknown,
                    });
                }
                Err(error) => return (self.request_ids, Err(error)),
            }
        }
        // An ask names something, or it would not be one.
        (self.request_ids, total.ok_or(Error::NotFound))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(request_id: &str, up_to: u64, ids: &[&str]) -> Ask {
        let message_ids = ids.iter().map(|id| (*id).to_owned()).collect();
        Ask::new(request_id.to_owned(), &DmAck { up_to, message_ids }, 1_000).unwrap()
    }

    fn up_to(n: u64) -> Vec<AckTarget> {
        vec![AckTarget::UpTo(InboxSeq::new(n))]
    }

    #[test]
    fn positions_that_wait_become_the_highest_of_them() {
        let mut acks = Acks::default();
        acks.knows(InboxSeq::new(9));
        for (id, position) in [("a", 3), ("b", 9), ("c", 5)] {
            acks.push(ask(id, position, &[]));
        }
        let batch = acks.take().unwrap();
        assert_eq!((batch.request_ids, batch.targets), (vec!["a".into(), "b".into(), "c".into()], up_to(9)));
        acks.push(ask("d", 9, &[]));
        assert_eq!(acks.take(), None, "one commit at a time");
        acks.done();
        assert!(acks.take().is_some());
    }

    #[test]
    fn what_may_be_refused_stands_alone() {
        let mut acks = Acks::default();
        acks.knows(InboxSeq::new(9));
        let id = "0190b6a0-0000-7000-8000-000000000001";
        acks.push(ask("known", 9, &[]));
        acks.push(ask("beyond", 10, &[]));
        acks.push(ask("ids", 9, &[id]));
        acks.push(ask("again", 4, &[]));
        let mut alone = Vec::new();
        while let Some(batch) = acks.take() {
            alone.push((batch.request_ids, batch.targets.len()));
            acks.done();
        }
        let expected = [("known", 1), ("beyond", 1), ("ids", 2), ("again", 1)];
        assert_eq!(alone, expected.map(|(id, targets)| (vec![id.to_owned()], targets)));
    }

    #[test]
    fn an_ask_that_names_nothing_nonsense_or_too_much_is_refused() {
        let refused =
            |up_to, ids: Vec<String>| Ask::new(String::new(), &DmAck { up_to, message_ids: ids }, 2).is_err();
        let id = "0190b6a0-0000-7000-8000-000000000001".to_owned();
        assert!(refused(0, vec![]));
        assert!(refused(1, vec!["x".to_owned()]));
        assert!(refused(1, vec![id.clone(); 3]));
        assert!(!refused(0, vec![id; 2]));
    }
}
