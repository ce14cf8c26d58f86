//! Clause 25, pages: a module for each of the three reads that have pages, one for entries that a
//! page leaves out, and one for the newest numbers of many inboxes.

mod heads;
mod history;
mod inbox;
mod list;
mod many;
mod received;

pub use heads::*;
pub use history::*;
pub use inbox::*;
pub use list::*;
pub use many::*;
pub use received::*;
