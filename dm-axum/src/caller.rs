//! The caller of a request.

use dm_core::Principal;

use crate::login::LoginExtensions;

/// The caller of a request: inserted by the host's middleware, or the holder of the ticket that the
/// request redeems.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) principal: Principal,
    /// The expiry and the watch of the caller's login. A ticket keeps both for the WebSocket that
    /// it opens.
    pub(crate) login: LoginExtensions,
}
