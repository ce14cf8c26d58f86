//! The wire format: its exact bytes, fields of other readers and writers, hostile input, and the
//! output of `Debug`.
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
