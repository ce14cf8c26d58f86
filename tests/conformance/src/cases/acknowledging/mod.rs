//! Clause 14: what is named, and what goes with it.

mod cursors;
mod named;

pub use cursors::*;
pub use named::*;
