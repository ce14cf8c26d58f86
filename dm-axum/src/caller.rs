//! Who is calling.

use dm_core::Principal;

use crate::session::Terms;

/// Who is calling, as the host's middleware said, or a ticket that stands for that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) who: Principal,
    /// What their session depends on. A ticket does not outlive it.
    pub(crate) terms: Terms,
}
