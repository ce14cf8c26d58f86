//! The client: one server, one user, one device.
//!
//! - [`handle`]: the client itself. [`builder`] makes it.
//! - [`calls`]: the REST calls. [`deliver`] sends until the outcome is known.

mod builder;
mod calls;
mod deliver;
mod handle;

pub use builder::ClientBuilder;
pub use handle::Client;
