//! [`Identity`]: the secret of a user, and the file that keeps it.
//!
//! - [`key_pair`]: the Ed25519 seed and the keys that follow from it.
//! - [`mod@file`]: loads the identity from disk, or creates it.

mod file;
mod key_pair;

pub use file::IdentityFileError;
pub use key_pair::Identity;
