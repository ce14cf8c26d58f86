//! Real clients and the real host, as programs of their own. All modules are one program: each
//! further program would link the client and what the tests decode with once more.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod killed_host;
mod replay;
mod seed_dialect;
