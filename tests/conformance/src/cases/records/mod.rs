//! Clause 21, records: they are read back, raised, removed and taken.

mod kept;
mod raised;
mod removed;
mod taken;

pub use kept::*;
pub use raised::*;
pub use removed::*;
pub use taken::*;
