//! [`Client`]: a client of one server, for one user on one device.
//!
//! - [`handle`] has the type `Client`, and [`builder`] makes a client.
//! - [`calls`] has the REST calls, and [`deliver`] the sends that are retried.

mod builder;
mod calls;
mod deliver;
mod handle;

pub use builder::ClientBuilder;
pub use handle::Client;
