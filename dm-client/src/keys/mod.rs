//! Public keys: [`UserId`] and [`X25519Key`]. The bytes of every value of these types are checked.
//!
//! - [`user`]: the Ed25519 key that identifies a user.
//! - [`x25519`]: the X25519 key that messages are encrypted to. [`version`]: the version of a
//!   published key.
//! - [`error`]: reasons why a key or a signature is refused. [`text`]: the text form of both kinds
//!   of keys.

mod error;
mod text;
mod user;
mod version;
mod x25519;

pub use error::{InvalidKey, InvalidSignature};
pub use user::UserId;
pub use version::KeyVersion;
pub use x25519::X25519Key;
pub(crate) use x25519::shared_secret;
