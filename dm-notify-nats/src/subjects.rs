//! Names of subjects.

use std::sync::Arc;

use async_nats::Subject;
use dm_core::UserId;

/// Makes the subjects of users.
#[derive(Clone, Debug)]
pub(crate) struct Subjects {
    /// What they begin with, up to the last dot.
    stem: Arc<str>,
}

impl Subjects {
    pub(crate) fn new(prefix: &str) -> Self {
        Self { stem: format!("{prefix}.user.").into() }
    }

    /// Where everything about a user goes.
    pub(crate) fn of(&self, user: UserId) -> Subject {
        Subject::from(format!("{}{user}", self.stem))
    }
}
