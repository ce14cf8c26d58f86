//! Clause 14, acknowledging: the named entries, and the movement of the cursor.

mod cursors;
mod many;
mod named;

pub use cursors::*;
pub use many::*;
pub use named::*;
