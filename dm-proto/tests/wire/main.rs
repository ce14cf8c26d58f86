//! The wire format as others see it: exact bytes, strangers' fields, hostile input, and what
//! `Debug` gives away.
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
