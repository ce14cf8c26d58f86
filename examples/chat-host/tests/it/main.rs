//! The host's own part, driven in this process and as the program. All modules are one program:
//! each further program would link the host with its stores once more.

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
