//! Clause 16, a file for each of the three reads that have pages.

mod history;
mod inbox;
mod list;
mod many;

pub use history::*;
pub use inbox::*;
pub use list::*;
pub use many::*;
