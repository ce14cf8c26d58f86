//! Real clients and the real host, as separate processes. All modules are one program, because each
//! further program links the client and the decoders of the tests again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod killed_host;
mod replay;
mod seed_dialect;
