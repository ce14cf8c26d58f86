//! The measurements.

pub(crate) mod cluster;
pub(crate) mod cold;
pub(crate) mod compare;
pub(crate) mod connections;
pub(crate) mod drain;
pub(crate) mod expire;
pub(crate) mod history;
mod host_writer;
pub(crate) mod http;
pub(crate) mod http_cold;
pub(crate) mod list;
mod load;
pub(crate) mod open;
pub(crate) mod push;
pub(crate) mod redis;
pub(crate) mod send;
pub(crate) mod sessions;
mod turns;
