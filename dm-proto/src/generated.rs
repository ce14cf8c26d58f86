//! The code that is made from the `.proto` files.
#![allow(unused_qualifications, reason = "generated code names every path in full")]

include!("generated/dm.v1.rs");
