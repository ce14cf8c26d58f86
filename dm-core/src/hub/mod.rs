//! The hub: the connections of this process, and the [`Notifier`](crate::notify::Notifier) that
//! passes hints to them. A notifier between nodes passes the hints of other nodes to it.
//!
//! - [`connection`]: the hub's side of one session, with the hints that wait for it.
//! - [`term`]: the rank of a session among those of its device on all nodes.
//! - [`registry`]: all connections by user; [`watch`] tells of users who connect and disconnect.
//! - [`takeover`] and [`disconnect`] end sessions; [`notifier`] passes hints on.
//!
//! A [session](crate::session) takes its hints from its connection.

mod connection;
mod disconnect;
mod notifier;
mod registry;
mod takeover;
mod term;
mod watch;

pub(crate) use connection::{Connection, ConnectionKind, EndCause, Hint, NextHint};
pub(crate) use registry::ConnectionGuard;
pub use registry::Hub;
pub use term::{SessionClaim, SessionId, Term};
pub use watch::HubWatch;
