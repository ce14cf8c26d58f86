//! Three reference hosts on one PostgreSQL database and one NATS server, on this machine: how a chat server runs on more
//! than one node, and what becomes of its messages when any part is killed.
//!
//! - [`cluster`]: the servers and the hosts, as processes; killing them and starting them again.
//! - [`traffic`]: people with devices on different hosts, who write to each other all the while.
//! - [`oracle`]: what was answered, held against what is there afterwards.
//! - [`trial`]: the three together. [`demo`]: two people chat, and how long a message takes from host to host.

pub mod cluster;
pub mod demo;
pub mod oracle;
pub mod traffic;
pub mod trial;
