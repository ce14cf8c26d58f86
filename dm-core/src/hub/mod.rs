//! Delivery in this process: the [`Notifier`](crate::notify::Notifier) that keeps track of connections, and this node's end of a
//! notifier across nodes.
//!
//! - [`mailbox`]: the hints that wait for a session, of which [`term`] says which stays.
//! - [`connections`]: the table of them, which [`watch`] tells of.
//! - [`takeover`] and [`disconnect`] end sessions, [`notifier`] brings hints.
//!
//! The [session](crate::session) reads a mailbox.

mod connections;
mod disconnect;
mod mailbox;
mod notifier;
mod takeover;
mod term;
mod watch;

pub use connections::Hub;
pub(crate) use connections::Place;
pub(crate) use mailbox::{Ended, Found, Hint, Kind, Mailbox};
pub use term::{SessionClaim, SessionId, Term};
pub use watch::HubWatch;
