//! The WebSocket: binary frames, one protobuf `Envelope` each.
//!
//! `upgrade` decides who may connect. `connection` is one connection from then to its end: one
//! task, one loop. `dialect` has everything that differs before and after a hello, and `welcome`
//! answers a hello. `requests` answers the other requests. Below are `socket`, which reads and
//! writes within bounds, `frames`, which checks a frame before it is decoded, `heartbeat`, which
//! pings, `lifetime`, which waits for the end of the client's session with the host, and `close`,
//! which has every reason for which a connection ends. `sockets` counts and limits the WebSockets
//! of each user.

mod close;
mod connection;
mod dialect;
mod frames;
mod heartbeat;
mod lifetime;
mod origin;
mod requests;
mod socket;
mod sockets;
mod upgrade;
mod welcome;

pub(crate) use sockets::Sockets;
pub(crate) use upgrade::upgrade;
