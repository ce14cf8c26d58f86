//! [`Hub`], the connections of this process. It is also the [`Notifier`](crate::notify::Notifier)
//! that passes hints to them. A notifier between nodes gives the hub the hints of other nodes. The
//! crate's front page explains the [terms](crate#terms), such as hint and node.
//!
//! - [`connection`] is the hub's side of one session, with the hints that wait for the session.
//! - [`term`] has the term of a session: its rank among the sessions of its device on all nodes.
//! - [`registry`] has all connections by user.
//! - [`watch`] tells which users connect and disconnect.
//! - [`takeover`] ends all sessions of a device but the newest, on all nodes.
//! - [`disconnect`] ends sessions at the host's request.
//! - [`notifier`] passes hints on.
//!
//! Each [session](crate::session) has one connection, from which it takes its hints.

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
