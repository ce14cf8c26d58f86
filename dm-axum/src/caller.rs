//! The caller.

use dm_core::Principal;

use crate::session::Terms;

/// The caller, as the host's middleware said, or as a ticket stands for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) who: Principal,
    /// The bounds of their session. A ticket does not outlive it.
    pub(crate) terms: Terms,
}
