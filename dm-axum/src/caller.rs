//! The caller of a request.

use dm_core::Principal;

use crate::login::LoginExtensions;

/// The caller of a request: the principal that the host's middleware inserted, or the principal
/// that requested the ticket of a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) principal: Principal,
    /// The expiry and the watch of the caller's login. A ticket keeps both for the WebSocket that
    /// it opens.
    pub(crate) login: LoginExtensions,
}
