//! The code that `cargo xtask proto` generates from the `.proto` files.
#![allow(unused_qualifications, reason = "generated code names every path in full")]

include!("generated/dm.v1.rs");
