//! The result of a trial.

/// The result of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Two processes wrote, and the contract was kept.
    Kept,
    /// The store allows one process at a time.
    OneProcess,
}
