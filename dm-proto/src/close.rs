//! Codes with which a WebSocket is closed. Those below 4000 are in the registry of RFC 6455; those
//! from 4000 up are this protocol's own.

/// The client closed the connection, or is gone.
pub const NORMAL: u16 = 1000;
/// The host goes away. `dm-axum` sends [`RESTART`] instead. A client connects again.
pub const GOING_AWAY: u16 = 1001;
/// The client broke a rule: a text frame, a frame that only a server sends, a frame that does not
/// decode, a frame that needs a hello before it, or too many pings. A client does not connect again
/// by itself.
pub const POLICY: u16 = 1008;
/// A message or a frame is larger than the server accepts.
pub const TOO_BIG: u16 = 1009;
/// The host failed. `dm-axum` sends [`RESTART`] instead.
pub const INTERNAL: u16 = 1011;
/// The server shuts down, cannot read its store, or got no answer from the client. A client
/// connects again.
pub const RESTART: u16 = 1012;
/// The host is overloaded. `dm-axum` sends [`RESTART`] instead. A client connects again later.
pub const TRY_AGAIN_LATER: u16 = 1013;
/// The session that the client authenticated with has ended. A client connects again with a new
/// token.
pub const TOKEN_EXPIRED: u16 = 4001;
/// The client's token is not valid. Kept for hosts: `dm-axum` answers an unauthenticated request
/// with status 401 before the upgrade.
pub const TOKEN_INVALID: u16 = 4002;
/// The host refuses the user, the hello cannot be accepted, or the device was forgotten. A client
/// does not connect again by itself: connecting would register a forgotten device anew.
pub const REFUSED: u16 = 4003;
/// A newer connection of the same device replaced this one. A client does not connect again by
/// itself: the two connections would replace each other without end.
pub const REPLACED: u16 = 4009;
