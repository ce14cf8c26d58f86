//! A complete chat server around `dm-core`: accounts, sign-in, people search, and the direct-message API merged in.
//!
//! It exists to be run and to be copied from. `main.rs` shows, from top to bottom, how a host is put together; what is
//! in this library is what every host has in a way of its own:
//!
//! - who people are: [`accounts`] (with [`name`] and [`token`]), which is also the service's
//!   directory;
//!   [`challenge`], [`statement`] and [`origin`], how they prove it; [`sessions`], how that ends;
//! - [`auth`]: the middleware that tells the direct-message API who is calling;
//! - [`router`]: the host's own calls, and [`problem`], how they refuse; [`host`] is what they share;
//! - [`bus`] and [`database`]: how the host reaches NATS and PostgreSQL, and what it trusts there;
//! - [`serve`] and [`shutdown`]: connections and their end; [`args`] and [`telemetry`]: options, logs and metrics.
//!
//! It speaks plain HTTP and expects a proxy with TLS in front of it when it leaves the machine. Anybody may register;
//! a host of one's own would limit that.

pub mod accounts;
pub mod args;
pub mod auth;
pub mod bus;
pub mod challenge;
pub mod database;
mod directory;
pub mod host;
mod info;
pub mod name;
pub mod origin;
pub mod problem;
pub mod router;
pub mod serve;
pub mod sessions;
pub mod shutdown;
mod sign_in;
pub mod statement;
pub mod telemetry;
pub mod token;
mod users;
