//! The results of work on requests.

use dm_proto::Envelope;

use crate::answers::HeldFrame;
use crate::problem::Problem;
use crate::ws::dialect::{AckOutcome, PageRefusal};

/// A request or an acknowledgement that is done.
pub(super) enum Done {
    Answer(Box<Envelope>),
    Page(Box<Page>),
    Acknowledged(AckOutcome),
}

/// The answer to a request for a page.
pub(super) struct Page {
    pub(super) request_id: String,
    pub(super) refusal: PageRefusal,
    /// The page in the budget of answers, or the reason why there is none.
    pub(super) answer: Result<HeldFrame, Problem>,
}
