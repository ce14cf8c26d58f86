//! Names of subjects.

use std::sync::Arc;

use async_nats::Subject;
use dm_core::UserId;

use crate::codec::Nonce;

/// Makes the subjects of users, and knows that of the nodes.
#[derive(Clone, Debug)]
pub(crate) struct Subjects {
    /// The beginning of the subjects of users, up to the last dot.
    stem: Arc<str>,
    /// The same of the subjects of answers.
    answers: Arc<str>,
    nodes: Subject,
}

impl Subjects {
    pub(crate) fn new(prefix: &str) -> Self {
        Self {
            stem: format!("{prefix}.user.").into(),
            answers: format!("{prefix}.answers.").into(),
            nodes: Subject::from(format!("{prefix}.nodes")),
        }
    }

    /// Where everything about a user goes.
    pub(crate) fn of(&self, user: UserId) -> Subject {
        Subject::from(format!("{}{user}", self.stem))
    }

    /// The subject of the answers to one question.
    pub(crate) fn answers(&self, nonce: Nonce) -> Subject {
        Subject::from(format!("{}{nonce}", self.answers))
    }

    /// The subject that all nodes are subscribed for.
    pub(crate) const fn nodes(&self) -> &Subject {
        &self.nodes
    }
}
