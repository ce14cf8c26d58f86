//! The cases, in one module for each clause. `devices`, `keys` and `announcements` test the
//! documentation of kinds of writes that no clause describes.

pub mod acknowledging;
pub mod aligned;
pub mod announcements;
pub mod atomic;
pub mod concurrent;
pub mod consistent;
pub mod dense;
pub mod devices;
pub mod durable;
pub mod expiry;
pub mod foreign;
pub mod idempotent;
pub mod keys;
pub mod never_reused;
pub mod one_conversation;
pub mod pages;
pub mod refusals;
pub mod stale_key;
pub mod three_rows;
pub mod unknown_writes;
pub mod visible_in_order;

pub use crate::{histories, model};
