//! The caller of a request.

use dm_core::Principal;

use crate::session::Terms;

/// The caller, whom the host's middleware put into the request, or to whom a ticket was issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) who: Principal,
    /// The end of the caller's session with the host. It also holds for a WebSocket that is opened
    /// with a ticket of that session.
    pub(crate) terms: Terms,
}
