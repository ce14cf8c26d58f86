//! Sessions: the entries of an inbox for one connected client, from the store and from hints.
//!
//! - [`delivery`]: the items that a session returns, and the reasons for its end.
//! - [`stream`]: the session itself. [`sources`] are its pages and hints, [`wait`] its waits, and
//!   [`handle`] acknowledges for it.
//! - [`connect`]: the calls of the service that start a session.

mod connect;
mod delivery;
mod handle;
mod sources;
mod stream;
mod wait;

pub use delivery::{Delivery, SessionEnd};
pub use handle::SessionHandle;
pub use stream::Session;
