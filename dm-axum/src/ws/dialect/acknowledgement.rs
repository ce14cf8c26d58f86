//! [`Acknowledgement`], and [`AckOutcome`], the result of storing it.

use dm_core::{AckTarget, Acknowledged, Error, InboxSeq, SessionHandle};

/// An acknowledgement to store. A dialect returns the next acknowledgement only after it was given
/// the [`AckOutcome`] of this one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Acknowledgement {
    /// The ids of the requests for this acknowledgement, oldest first. Empty for a seed client,
    /// which acknowledges by answering pings.
    pub(super) request_ids: Vec<String>,
    /// One or two targets. Each is stored in its own write, in this order.
    pub(super) targets: Vec<AckTarget>,
}

/// The result of storing an [`Acknowledgement`].
#[derive(Debug)]
pub(crate) struct AckOutcome {
    /// The ids from the acknowledgement.
    pub(super) request_ids: Vec<String>,
    /// The device's cursor after the last target and the sums of the counts of all targets, or the
    /// first error.
    pub(super) result: Result<Acknowledged, Error>,
}

impl Acknowledgement {
    /// Stores the targets in order, and stops at the first error. The targets before the error stay
    /// stored. A client may therefore repeat the whole acknowledgement after an error.
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
