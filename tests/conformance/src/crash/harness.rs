//! The harness of crash trials.

use std::path::Path;

use crate::Harness;

/// A harness whose storage locations another process can open.
pub trait CrashHarness: Harness {
    /// The path of the location, or another text by which a process finds it, such as connection
    /// parameters.
    fn path(&self) -> &Path;

    /// The same location, in a process that did not make it and does not remove it.
    fn at(path: &Path) -> Self;
}
