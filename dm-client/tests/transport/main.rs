//! The transport against servers that lose, repeat, mix up and overdo things.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod answers;
mod connection;
mod people;
mod reading;
mod relay;
mod sending;
mod socket;
mod time;
