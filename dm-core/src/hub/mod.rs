//! The hub: the connections of this process, and the [`Notifier`](crate::notify::Notifier) that
//! passes hints to them. A notifier between nodes passes the hints of other nodes to the hub. The
//! crate's front page explains the [terms](crate#terms), such as hint and node.
//!
//! - [`connection`] is the hub's side of one session, with the hints that wait for the session.
//! - [`term`] has the rank of a session among the sessions of its device on all nodes.
//! - [`registry`] has all connections by user.
//! - [`watch`] tells which users connect and disconnect.
//! - [`takeover`] ends all sessions of a device but the newest, on all nodes.
//! - [`disconnect`] ends sessions at the host's request.
//! - [`notifier`] passes hints on.
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
