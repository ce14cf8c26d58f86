//! How one connection ended.

use std::time::Duration;

use super::state::{End, Lost};
use crate::error::{Problem, Retry};

/// How one connection ended.
pub(super) enum Over {
    /// Try again.
    Lost {
        reason: Lost,
        /// Not before, if the server said so.
        not_before: Option<Duration>,
    },
    /// Do not.
    Ended(End),
}

impl Over {
    /// The server said no: for now, for want of a token, or for good.
    pub(super) fn from_problem(problem: Problem) -> Self {
        match problem.retry() {
            Retry::Later(not_before) => Self::Lost { reason: Lost::Refused(problem), not_before },
            Retry::Never if problem.status == 401 => Self::Ended(End::Unauthorized),
            Retry::Never => Self::Ended(End::Refused(problem)),
        }
    }
}

impl From<Lost> for Over {
    fn from(reason: Lost) -> Self {
        Self::Lost { reason, not_before: None }
    }
}
