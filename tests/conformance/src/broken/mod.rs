//! Deliberately broken stores. They prove that the suite catches what it claims to catch.
//!
//! Each is the in-memory store with one [`Defect`] between it and its caller. `examine` runs the
//! cases against them.

mod caps;
mod chosen;
mod commits;
mod conditions;
mod corners;
mod defect;
mod deliveries;
mod endless;
mod examine;
mod gates;
mod numbers;
mod one_write;
mod pages;
mod plain;
mod posts;
mod proofs;
mod records;
mod scans;
mod store;
mod writes;

pub(crate) use chosen::Examined;
pub use defect::{Defect, Kind};
pub use examine::{Scope, case_names, kinds, silent};
