//! Tests of the wire format: its exact bytes, unknown fields, hostile input, and the output of
//! `Debug`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod coexistence;
mod debug_output;
mod golden;
mod hostile;
mod round_trip;
mod samples;
