//! The host's own part, driven over loopback.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail loudly; the exemption of clippy.toml covers test functions only, not their helpers"
)]

mod accounts;
mod authorization;
mod connections;
mod directory;
mod info;
mod logout;
mod running;
#[cfg(unix)]
mod shared;
mod sign_in;
mod users;
