//! PostgreSQL servers.
//!
//! - `process` makes a server's data, starts it and ends it.
//! - [`Cluster`] is a server; `kinds` makes one, shared by all tests or for one of them.
//! - [`Database`] is a database of one test, [`Frozen`] a server that hangs.

mod cluster;
mod database;
mod frozen;
mod kinds;
mod process;

use crate::shared;

pub use cluster::Cluster;
pub use database::Database;
pub use frozen::Frozen;

/// Whether PostgreSQL is installed.
#[must_use]
pub fn is_installed() -> bool {
    shared::answers(&process::program("initdb"))
}
