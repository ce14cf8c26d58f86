//! Tests of stores that keep files: disks that are full, that fail and that lose power.
//!
//! A store's tests implement [`DiskHarness`] and call the functions here. Each is the body of one
//! test and gets the path of that test ([`test_path!`](dm_conformance::test_path)):
//!
//! - [`full`]: a nearly full and a full disk, on a small file system of its own ([`SmallDisk`]);
//! - [`trial`]: a child process writes while its changes to files are recorded (`recorder.c`), with
//!   or without an `fsync` that fails; then the power is cut at many moments of the recording
//!   ([`Disk`]);
//! - [`second`]: a second process opens a store that is open.
//!
//! A test that cannot run here, without root or outside Linux, prints its name, and fails with
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
