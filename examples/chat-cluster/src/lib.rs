//! Three reference hosts on one PostgreSQL database and one NATS server, on one machine. The
//! example shows a chat server on more than one node, and checks that no message is lost when a
//! part is killed.
//!
//! - [`cluster`]: the processes of servers and hosts, and killing and restarting them.
//! - [`traffic`]: users with devices at different hosts who send messages all the time.
//! - [`oracle`]: compares the confirmed sends with the stored and delivered messages.
//! - [`trial`]: kills parts under traffic and judges the result. [`demo`]: two users at different
//!   hosts exchange messages, and the time from host to host is measured.

pub mod cluster;
pub mod demo;
pub mod oracle;
pub mod traffic;
pub mod trial;
