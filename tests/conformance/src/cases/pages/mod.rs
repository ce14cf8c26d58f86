//! Clause 16, a file for each of the three reads that have pages, and one for what a page passes
//! over.

mod history;
mod inbox;
mod list;
mod many;
mod received;

pub use history::*;
pub use inbox::*;
pub use list::*;
pub use many::*;
pub use received::*;
