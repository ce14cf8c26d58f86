//! The short way to a store of `dm-core` on an engine that is an ordered map of bytes to bytes: the
//! tables, the bytes of their rows, and what is read and written. `dm-store-redb` and
//! `dm-store-fjall` are made of it.
//!
//! An engine implements [`Rows`] for a table in one state and [`Changes`] for a table as a batch
//! changes it, has [`Tables`] of each, and:
//!
//! - reads through a [`Reader`] over its [`Snapshots`];
//! - commits by making its changed tables, calling [`apply`], and making durable what was changed,
//!   with [`Heads`] that it keeps from batch to batch. One writer at a time.
//!
//! [`Heads`] are the newest numbers in memory. 20 MiB, the default of both stores, are 65,536
//! conversations and users; what does not fit is looked up, and a send takes longer. They are
//! only a copy: an engine that others write to, too, makes them anew when the tables changed since
//! its last batch. redb's store counts commits in the table `schema` to notice that.
//!
//! It keeps the schema's version, and whatever it needs besides, in the table
//! [`schema`](Tables::schema), of which only the row `notes` is touched here, and only with
//! [`Heads::noting`]. What it cannot tell, it tells by a [`Failure`].
//!
//! # In reading order
//!
//! [`tables`] documents the bytes, `rows` is what an engine offers, `codec` makes bytes, `heads`
//! remembers the newest numbers, `newest` looks them up, `session` tells which notes of them are
//! right, `write` and `read` do the work, `failure` is what goes wrong, `disk` measures free space.

mod codec;
mod disk;
mod failure;
mod heads;
mod newest;
mod read;
mod rows;
mod session;
pub mod tables;
#[cfg(test)]
mod tests;
mod write;

pub use codec::{numbered, owner_and_number};
pub use disk::{absolute, free_bytes};
pub use failure::Failure;
pub use heads::Heads;
pub use read::{Reader, Snapshots};
pub use rows::{Changes, Order, Rows};
pub use tables::Tables;
pub use write::apply;
