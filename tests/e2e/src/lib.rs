//! Helpers of the end-to-end tests: the reference host as a process, and its users.

mod host;
mod people;
mod program;

pub use host::Host;
pub use people::{Device, Person};
pub use program::build;
