//! Tests of the client without a server (`identity_file`, `keys`, `tampering`, `vectors`), with
//! test servers that misbehave (`transport`), and with the real server (`server`). They are one
//! program, because linking the library and the server takes long for each program.

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
