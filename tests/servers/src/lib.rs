//! Starts the servers that tests need, and ends them.
//!
//! A server runs on this machine only, on data in a temporary folder, as a user without rights. Each kind has a file here:
//!
//! - [`postgres`]: PostgreSQL from Debian's package of that name, shared by all tests that run at the same time, or alone
//!   for a test that stops it.
//! - [`nats`]: NATS from Debian's package `nats-server`, one for each test.
//! - [`redis`]: Redis from Debian's package `redis-server`, which no test needs: benchmarks measure beside it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of tests: it fails by panicking"
)]
#![cfg(unix)]

mod guarded;
pub mod nats;
pub mod postgres;
pub mod redis;
mod shared;

/// Says what to install where a server is not there.
///
/// # Errors
/// [`NotFound`](std::io::ErrorKind::NotFound), with the names of the Debian packages that are
/// missing.
pub fn require() -> std::io::Result<()> {
    let installed = [("postgresql", postgres::is_installed()), ("nats-server", nats::is_installed())];
    let missing: Vec<&str> = installed.iter().filter(|(_, there)| !there).map(|(name, _)| *name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let what_to_do = format!("not installed; as root: apt-get install {}", missing.join(" "));
    Err(std::io::Error::new(std::io::ErrorKind::NotFound, what_to_do))
}
