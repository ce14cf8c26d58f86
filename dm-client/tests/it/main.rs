//! The client without a server, against servers that misbehave, and with the real one. All modules
//! are one program: each further program would link the library and the server once more.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod identity_file;
mod keys;
mod server;
mod tampering;
mod transport;
mod vectors;
