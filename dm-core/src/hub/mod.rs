//! The hub: the connections of this process, and the [`Notifier`](crate::notify::Notifier) that
//! passes hints to them. A notifier between nodes passes the hints of other nodes to it.
//!
//! - [`connection`]: the hub's side of one session, with the hints that wait for it.
//! - [`term`]: the rank of a session among those of its device on all nodes.
//! - [`registry`]: all connections by user; [`watch`] tells of users who connect and disconnect.
//! - [`takeover`] and [`disconnect`] end sessions; [`notifier`] passes hints on.
//!
//! A [session](crate::session) takes its hints from its connection.

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
