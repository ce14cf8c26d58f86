//! The names of subjects, which begin with the configured prefix.

use std::sync::Arc;

use async_nats::Subject;
use dm_core::UserId;

use crate::codec::Nonce;

/// Makes the names of subjects.
#[derive(Clone, Debug)]
pub(crate) struct Subjects {
    /// The beginning of users' subjects, with the last dot.
    user_prefix: Arc<str>,
    /// The beginning of the subjects of replies, with the last dot.
    reply_prefix: Arc<str>,
    nodes: Subject,
}

impl Subjects {
    pub(crate) fn new(prefix: &str) -> Self {
        Self {
            user_prefix: format!("{prefix}.user.").into(),
            reply_prefix: format!("{prefix}.answers.").into(),
            nodes: Subject::from(format!("{prefix}.nodes")),
        }
    }

    /// The subject of all frames that concern one user.
    pub(crate) fn user(&self, user: UserId) -> Subject {
        Subject::from(format!("{}{user}", self.user_prefix))
    }

    /// The subject of the replies to one request.
    pub(crate) fn replies(&self, nonce: Nonce) -> Subject {
        Subject::from(format!("{}{nonce}", self.reply_prefix))
    }

    /// The subject of the nodes, to which all nodes are subscribed.
    pub(crate) const fn nodes(&self) -> &Subject {
        &self.nodes
    }
}
