//! The cases, a file for each clause.

pub mod atomic;
