//! Public keys. A value of these types was checked and is fit for use.
//!
//! - [`user`]: an Ed25519 key identifies a user.
//! - [`x25519`]: messages are encrypted to an X25519 key. [`version`] counts the published ones.
//! - [`error`] and [`text`]: reasons for a refusal, and the text form that both kinds share.

mod error;
mod text;
mod user;
mod version;
mod x25519;

pub use error::{InvalidKey, InvalidSignature};
pub use user::UserId;
pub use version::KeyVersion;
pub use x25519::X25519Key;
pub(crate) use x25519::agree;
