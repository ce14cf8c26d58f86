//! The client: one server, one user, one device.
//!
//! - [`handle`]: the type `Client`. [`builder`] makes a client.
//! - [`calls`]: the REST calls. [`deliver`]: sending until the outcome is known.

mod builder;
mod calls;
mod deliver;
mod handle;

pub use builder::ClientBuilder;
pub use handle::Client;
