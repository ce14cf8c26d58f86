//! [`Outcome`]: the result of the work on a request or an acknowledgement.

use dm_proto::Envelope;

use crate::answers::UnwrittenFrame;
use crate::problem::Problem;
use crate::ws::dialect::{AckOutcome, RefusalStyle};

/// The result of the work on a request or an acknowledgement.
pub(super) enum Outcome {
    /// The answer to a send.
    Answer(Box<Envelope>),
    /// The result of a request for a page of history or a list of conversations.
    Page(Box<PageOutcome>),
    /// The result of storing an acknowledgement.
    Acknowledged(AckOutcome),
}

/// The result of a request for a page of history or a list of conversations.
pub(super) struct PageOutcome {
    /// The id of the request, repeated in the answer.
    pub(super) request_id: String,
    /// The way to refuse the request, used if `page` is an error or was dropped before its write.
    pub(super) refusal_style: RefusalStyle,
    /// The encoded page, or the reason why it was not built.
    pub(super) page: Result<UnwrittenFrame, Problem>,
}
