//! What the trials ask of a harness.

use std::path::Path;

use crate::Harness;

/// A harness whose places another process can open.
pub trait CrashHarness: Harness {
    /// The path of the place, or whatever else another process finds it by, such as connection
    /// parameters.
    fn path(&self) -> &Path;

    /// The same place, in a process that did not make it and does not remove it.
    fn at(path: &Path) -> Self;
}
