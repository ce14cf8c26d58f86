//! Tests of the commands of `cargo xtask`. All modules are one program, because each further
//! program would be linked with the same libraries again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod cases;
#[cfg(unix)]
mod deep;
mod proto;
#[cfg(unix)]
mod test;
