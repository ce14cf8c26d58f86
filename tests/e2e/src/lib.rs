//! What the end-to-end tests share: the reference host as a process, and people who use it.

mod host;
mod people;

pub use host::Host;
pub use people::{Device, Person};
