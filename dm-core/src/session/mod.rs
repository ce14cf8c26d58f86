//! Sessions: the entries of an inbox for one connected client, from the store and from hints.
//!
//! - [`delivery`]: what comes, and how it ends. [`handle`] acknowledges.
//! - [`stream`] is the session, [`connect`] begins it.

mod connect;
mod delivery;
mod handle;
mod stream;

pub use delivery::{Delivery, SessionEnd};
pub use handle::SessionHandle;
pub use stream::Session;
