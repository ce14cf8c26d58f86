//! Tests of the client without a server, against test servers that misbehave, and with the real
//! server. All modules are one program, because each program links the library and the server.

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
