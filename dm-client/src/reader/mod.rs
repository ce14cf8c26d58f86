//! Decrypting messages, and refusing replays and downgrades.
//!
//! - [`error`]: the reasons for a refusal.
//! - [`peer_suites`]: the strongest suite of each peer. [`replays`]: the recently decrypted
//!   messages.
//! - [`handle`]: the type `Reader`.

mod error;
mod handle;
mod peer_suites;
mod replays;

pub use error::ReadError;
pub use handle::Reader;
