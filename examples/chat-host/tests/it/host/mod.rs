//! Tests of the host's own part over loopback.

mod accounts;
mod authorization;
mod connections;
mod directory;
mod info;
mod logout;
mod running;
#[cfg(unix)]
mod shared;
mod sign_in;
mod users;
