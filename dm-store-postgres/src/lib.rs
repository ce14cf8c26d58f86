//! The [`Store`] of `dm-core` on PostgreSQL.

mod codec;
mod config;
mod connection;
mod error;
#[cfg(test)]
mod plans;
mod read;
mod schema;
mod store;
mod write;

pub use config::PostgresConfig;
pub use store::PostgresStore;

#[cfg(doc)]
use dm_core::Store;
