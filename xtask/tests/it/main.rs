//! What the commands of `cargo xtask` do, and what they keep. All modules are one program: each
//! further program would be linked with the same libraries once more.

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
