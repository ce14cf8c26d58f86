//! Tests of the API over real sockets. They check the answers of every call, including the answers
//! to invalid and hostile input.
//!
//! `world` is the server of the tests, `socket` a WebSocket client, and `faults` and `pool` are
//! stores that fail or wait. Seed clients are clients of the first protocol version: they send no
//! hello.

#![allow(missing_docs, unreachable_pub, reason = "tests")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod acks;
mod bad_input;
mod conversations;
mod devices;
mod disconnecting;
mod embedding;
mod faults;
mod gates;
mod hello;
mod hostile;
mod hostile_peers;
mod keys;
mod login;
mod messages;
mod notices;
mod offline;
mod pool;
mod problems;
mod seed;
mod sends;
mod socket;
mod ticket;
mod unread;
mod upgrade;
mod world;
