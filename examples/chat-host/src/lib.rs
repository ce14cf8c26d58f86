//! A complete chat server around `dm-core`: accounts, sign-in, user search, and the direct-message
//! API.
//!
//! It is an example to run and to copy from. `main.rs` shows from top to bottom how a host is
//! assembled. This library has the parts that differ from host to host:
//!
//! - Users: [`accounts`] (with [`name`] and [`token`]), which is also the service's directory.
//!   Sign-in: [`challenge`], [`statement`] and [`origin`]. [`logins`] ends WebSockets with their
//!   token.
//! - [`auth`]: the middleware that authenticates the caller for the direct-message API.
//! - [`router`]: the host's own calls. [`problem`]: their refusals. [`host`]: their shared state.
//! - [`bus`] and [`database`]: the connections to NATS and PostgreSQL, and their authentication.
//! - [`serve`] and [`shutdown`]: connections and their end. [`args`] and [`telemetry`]: options,
//!   logs and metrics.
//!
//! The host serves plain HTTP and needs a proxy with TLS in front of it outside of the local
//! machine. Everybody may register; a production host would limit that.

pub mod accounts;
pub mod args;
pub mod auth;
pub mod bus;
pub mod challenge;
pub mod database;
mod directory;
pub mod host;
mod info;
pub mod logins;
pub mod name;
pub mod origin;
pub mod problem;
pub mod router;
pub mod serve;
pub mod shutdown;
mod sign_in;
pub mod statement;
pub mod telemetry;
pub mod token;
mod users;
