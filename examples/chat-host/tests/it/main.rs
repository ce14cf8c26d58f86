//! Tests of the host's own part, in this process and as a program. All modules are one program,
//! because each program links the host with its stores.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail loudly; the exemption of clippy.toml covers test functions only, not their helpers"
)]

mod host;
mod process;
#[cfg(unix)]
mod secured;
