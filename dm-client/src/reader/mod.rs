//! [`Reader`] decrypts messages, and refuses replays (messages that the server repeats) and
//! downgrades (messages in a weaker cipher suite than before).
//!
//! - [`error`]: the reasons for a refusal.
//! - [`peer_suites`]: the strongest suite of each peer. [`replays`]: the recently decrypted
//!   messages.
//! - [`message_reader`]: the type `Reader`.

mod error;
mod message_reader;
mod peer_suites;
mod replays;

pub use error::ReadError;
pub use message_reader::Reader;
