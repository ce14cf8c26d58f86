//! Delivery in this process: the [`Notifier`](crate::notify::Notifier) that keeps track of connections, and this node's end of a
//! notifier across nodes.
//!
//! - [`connection`]: the hints that wait for a session, of which [`term`] says which stays.
//! - [`registry`]: the table of them, which [`watch`] tells of.
//! - [`takeover`] and [`disconnect`] end sessions, [`notifier`] brings hints.
//!
//! The [session](crate::session) reads a connection.

mod registry;
mod disconnect;
mod connection;
mod notifier;
mod takeover;
mod term;
mod watch;

pub use registry::Hub;
pub(crate) use registry::ConnectionGuard;
pub(crate) use connection::{EndCause, NextHint, Hint, ConnectionKind, Connection};
pub use term::{SessionClaim, SessionId, Term};
pub use watch::HubWatch;
