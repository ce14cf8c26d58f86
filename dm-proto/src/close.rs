//! Codes with which a WebSocket is closed. RFC 6455 and its registry define the codes below 4000.
//! The codes from 4000 are specific to this protocol.

/// The client closed the connection, or disconnected without a closing frame.
pub const NORMAL: u16 = 1000;
/// The host shuts down. `dm-axum` sends [`RESTART`] instead. A client connects again.
pub const GOING_AWAY: u16 = 1001;
/// The client broke a rule. It sent a text frame, a frame that only a server sends, a frame that
/// does not decode, a frame that needs a hello before it, or too many pings. A client does not
/// connect again by itself.
pub const POLICY: u16 = 1008;
/// The client sent a larger message or frame than the server accepts.
pub const TOO_BIG: u16 = 1009;
/// The host had an internal error. `dm-axum` sends [`RESTART`] instead.
pub const INTERNAL: u16 = 1011;
/// The server shuts down or cannot read its store, or the client did not answer a ping or did not
/// read in time. A client connects again.
pub const RESTART: u16 = 1012;
/// The host is overloaded. `dm-axum` sends [`RESTART`] instead. A client connects again later.
pub const TRY_AGAIN_LATER: u16 = 1013;
/// The login with which the client authenticated has ended. A client connects again with a new
/// token.
pub const TOKEN_EXPIRED: u16 = 4001;
/// The client's token is not valid. The code is reserved for hosts: `dm-axum` answers an
/// unauthenticated request with status 401 before the upgrade.
pub const TOKEN_INVALID: u16 = 4002;
/// The host refuses the user, the hello cannot be accepted, or the device was forgotten. A client
/// does not connect again by itself: a new connection would register the forgotten device.
pub const REFUSED: u16 = 4003;
/// A newer connection of the same device replaced this one. A client does not connect again by
/// itself, because the connections would then replace each other without end.
pub const REPLACED: u16 = 4009;
