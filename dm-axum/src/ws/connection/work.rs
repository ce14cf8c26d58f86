//! Requests that are done.

use dm_core::{Acknowledged, Error};
use dm_proto::Envelope;

use crate::answers::HeldFrame;
use crate::problem::Problem;

/// A request that is done.
pub(super) enum Done {
    Answer(Box<Envelope>),
    /// A page that was asked for is encoded and waits in the budget of answers, or is refused.
    Page(Box<Page>),
    /// Deliveries to a client without hello are acknowledged, or not.
    Confirmed(Result<Acknowledged, Error>),
    Acknowledged(Vec<String>, Result<Acknowledged, Error>),
}

/// The answer to a request for a page.
pub(super) struct Page {
    pub(super) request_id: String,
    pub(super) said_hello: bool,
    pub(super) answer: Result<HeldFrame, Problem>,
}
