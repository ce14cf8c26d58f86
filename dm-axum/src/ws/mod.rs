//! The WebSocket: binary frames, one protobuf `Envelope` each.
//!
//! `upgrade` decides who may connect, `connection` is one connection from then to its end, one task
//! and one loop: its `frames` ask for work, `done` answers it, `deliveries` come from the session,
//! and `ends` from outside. A connection begins as one of the seed's clients (`seed`), which knows
//! nothing of positions, and becomes one that acknowledges by saying hello (`hello`, `acks`).
//! `requests` answers what is asked of it. Below are `socket`, which reads and writes within
//! bounds, `frames`, which looks at a frame before it is decoded, `heartbeat`, which pings, `lifetime`,
//! which tells when the session is over, and `close`, which names every way a connection ends.

mod acks;
mod close;
mod connection;
mod frames;
mod heartbeat;
mod hello;
mod lifetime;
mod origin;
mod requests;
mod seed;
mod socket;
mod sockets;
mod upgrade;

pub(crate) use sockets::Sockets;
pub(crate) use upgrade::upgrade;
