//! Serves WebSockets. Each binary frame is one protobuf [`Envelope`](dm_proto::Envelope).
//!
//! - `upgrade` decides whether a request becomes a WebSocket: `origin` checks the origin, and
//!   `sockets` limits the WebSockets of each user.
//! - `connection` serves one WebSocket until it ends, in one task with one loop.
//! - `dialect` has everything that differs before and after a hello (the first request of a client
//!   that wants positions).
//! - `welcome` answers a hello, and `requests` answers the other requests.
//! - `socket` reads and writes within limits of size and time.
//! - `client_frame` checks and decodes a frame.
//! - `heartbeat` decides when to send a ping, and notices a missing answer.
//! - `login_monitor` waits for the end of the client's login at the host.
//! - `close` has every reason for which a connection ends.

mod client_frame;
mod close;
mod connection;
mod dialect;
mod heartbeat;
mod login_monitor;
mod origin;
mod requests;
mod socket;
mod sockets;
mod upgrade;
mod welcome;

pub(crate) use sockets::Sockets;
pub(crate) use upgrade::upgrade;
