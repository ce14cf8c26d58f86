//! [`Session`], which delivers the entries of an inbox to one connected client: first from pages of
//! the store, then from hints. The crate's front page explains the [terms](crate#terms), such as
//! hint and window.
//!
//! - [`state`] has the session itself, which returns one delivery after the other.
//! - [`delivery`] has the items that a session returns, and the reasons why it ends.
//! - [`sources`] takes the next delivery from a page of the store or from a hint.
//! - [`wait`] waits for a hint, for room in the window, and for the next poll of the store.
//! - [`handle`] has the handle that acknowledges entries for a session.
//! - [`connect`] has the calls of the service that start a session.

mod connect;
mod delivery;
mod handle;
mod sources;
mod state;
mod wait;

pub use delivery::{Delivery, SessionEnd};
pub use handle::SessionHandle;
pub use state::Session;
