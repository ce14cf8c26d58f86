//! Starts and ends the servers that tests need.
//!
//! A server runs on this machine only, with its data in a temporary folder, as an unprivileged
//! user. Each kind has a file here:
//!
//! - [`postgres`]: PostgreSQL from Debian's package `postgresql`. All tests that run at the same
//!   time share one server; a test that stops its server has its own.
//! - [`nats`]: NATS from Debian's package `nats-server`, one for each test.
//! - [`redis`]: Redis from Debian's package `redis-server`, for benchmarks only.

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

/// Checks that the servers are installed.
///
/// # Errors
/// Fails with [`NotFound`](std::io::ErrorKind::NotFound) and the names of the missing Debian
/// packages.
pub fn require() -> std::io::Result<()> {
    let installed = [("postgresql", postgres::is_installed()), ("nats-server", nats::is_installed())];
    let missing: Vec<&str> = installed.iter().filter(|(_, there)| !there).map(|(name, _)| *name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let what_to_do = format!("not installed; as root: apt-get install {}", missing.join(" "));
    Err(std::io::Error::new(std::io::ErrorKind::NotFound, what_to_do))
}
