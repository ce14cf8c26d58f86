//! Public keys. The bytes of every `UserId` and every `X25519Key` have been checked.
//!
//! - [`user`]: an Ed25519 key identifies a user.
//! - [`x25519`]: messages are encrypted to an X25519 key. [`version`]: the versions of a published
//!   key.
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
