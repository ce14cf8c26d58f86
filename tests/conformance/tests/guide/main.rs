//! The store of the guide "Write a store" keeps the contract. That it loses nothing when its process is killed is
//! tried in `guide_crash.rs`.

mod harness;
mod store;
mod torn;

dm_conformance::suite!(harness::InAFolder);
