//! Clause 14: what is named, and what goes with it.

mod cursors;
mod many;
mod named;

pub use cursors::*;
pub use many::*;
pub use named::*;
