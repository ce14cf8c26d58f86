//! An acknowledgement, and the result of storing it.

use dm_core::{AckTarget, Acknowledged, Error, InboxSeq, SessionHandle};

/// An acknowledgement to store. A dialect gives the next one after this one's [`AckOutcome`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Acknowledgement {
    /// The ids of the requests for it, oldest first. Empty if no client asked: the seed's clients
    /// acknowledge by answering pings.
    pub(super) request_ids: Vec<String>,
    /// One or two targets. Each is stored by a write of its own, in this order.
    pub(super) targets: Vec<AckTarget>,
}

/// The result of storing an [`Acknowledgement`].
#[derive(Debug)]
pub(crate) struct AckOutcome {
    pub(super) request_ids: Vec<String>,
    pub(super) result: Result<Acknowledged, Error>,
}

impl Acknowledgement {
    /// Stores the acknowledgement. After an error the targets before it are stored, and the
    /// acknowledgement may be repeated.
    pub(crate) async fn store(self, session: SessionHandle) -> AckOutcome {
        let mut total = Acknowledged { cursor: InboxSeq::ZERO, acknowledged: 0, unknown: 0 };
        for target in self.targets {
            match session.acknowledge(target).await {
                Ok(done) => {
                    total = Acknowledged {
                        cursor: done.cursor,
                        acknowledged: total.acknowledged + done.acknowledged,
                        unknown: total.unknown + done.unknown,
                    };
                }
                Err(error) => return AckOutcome { request_ids: self.request_ids, result: Err(error) },
            }
        }
        AckOutcome { request_ids: self.request_ids, result: Ok(total) }
    }
}
