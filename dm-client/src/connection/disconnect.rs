//! [`Disconnect`]: the reason why a WebSocket ended, and whether another attempt follows.

use std::time::Duration;

use super::state::{End, Lost};
use crate::error::{Problem, Retry};

/// The reason why one WebSocket, or the attempt to open it, ended.
pub(super) enum Disconnect {
    /// Another attempt follows.
    Lost {
        reason: Lost,
        /// Minimum wait before the next attempt, if the server named one.
        not_before: Option<Duration>,
    },
    /// No other attempt follows.
    Ended(End),
}

impl Disconnect {
    /// The consequence of a refusal: another attempt if the refusal is temporary, otherwise the
    /// end.
    pub(super) fn from_problem(problem: Problem) -> Self {
        match problem.retry() {
            Retry::Later(not_before) => Self::Lost { reason: Lost::Refused(problem), not_before },
            Retry::Never if problem.status == 401 => Self::Ended(End::Unauthorized),
            Retry::Never => Self::Ended(End::Refused(problem)),
        }
    }
}

impl From<Lost> for Disconnect {
    fn from(reason: Lost) -> Self {
        Self::Lost { reason, not_before: None }
    }
}
