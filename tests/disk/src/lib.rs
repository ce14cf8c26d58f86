//! Disks that are full, that fail and that lose power, for the tests of stores that keep files.
//!
//! A store's tests say how it is opened ([`DiskHarness`]) and call what they want proven. Each
//! function here is the body of one test, and is given the test's path
//! ([`test_path!`](dm_conformance::test_path)):
//!
//! - [`full`]: a disk that is nearly full, and one that is full, on a small file system of its own
//!   ([`SmallDisk`]);
//! - [`trial`]: a child process writes while its changes of files are written down (`recorder.c`),
//!   with an `fsync` that fails, or without; then the power is cut at many moments of what was
//!   written down ([`Disk`]);
//! - [`second`]: a second process on a store that is open.
//!
//! A test that cannot run here, without root or outside Linux, says so by name, and fails with
//! `CI=true`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a helper of tests: it fails by panicking, and its files fit into memory"
)]
#![cfg(target_os = "linux")]

mod child;
mod disk;
mod event;
pub mod full;
mod harness;
pub mod second;
mod small;
pub mod trial;

pub use child::{Syncs, is_child};
pub use disk::Disk;
pub use harness::{DiskHarness, LATER};
pub use small::SmallDisk;
