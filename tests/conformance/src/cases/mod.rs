//! The cases, a file for each clause.

pub mod atomic;

pub use crate::{histories, model};
