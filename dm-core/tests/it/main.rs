//! Tests of the crate through its public API. All modules are one test program, because each
//! further program would link the library and its dependencies once more.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod addressed;
mod announcements;
mod between_nodes;
mod commit;
mod common;
mod conversations;
mod disconnecting;
mod dropped;
mod embedded;
mod gates;
mod health;
mod held;
mod hints;
mod inbox;
mod inbox_heads;
mod jobs;
mod keys;
mod limits;
mod own_entries;
mod sessions;
mod takeover;
