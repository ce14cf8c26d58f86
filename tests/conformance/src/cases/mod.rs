//! The cases, in one module for each clause. `devices` tests the documentation of
//! actions that no clause describes, and `features` what features need of several clauses.

pub mod acknowledging;
pub mod aligned;
pub mod atomic;
pub mod bounds;
pub mod concurrent;
pub mod conditions;
pub mod consistent;
pub mod counts;
pub mod dense;
pub mod devices;
pub mod durable;
pub mod expiry;
pub mod features;
pub mod fences;
pub mod foreign;
pub mod found;
pub mod gates;
pub mod idempotent;
pub mod lists;
pub mod never_reused;
mod numbers;
pub mod one_conversation;
pub mod order_of_checks;
pub mod pages;
pub mod posts;
mod proofs;
pub mod records;
pub mod refusals;
pub mod revisions;
pub mod scans;
pub mod three_rows;
pub mod unknown_actions;
pub mod visible_in_order;

pub use crate::{histories, model};
