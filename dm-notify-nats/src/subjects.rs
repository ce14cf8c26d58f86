//! Names of subjects.

use std::sync::Arc;

use async_nats::Subject;
use dm_core::UserId;

use crate::codec::Nonce;

/// Makes the subjects of users, and knows that of the nodes.
#[derive(Clone, Debug)]
pub(crate) struct Subjects {
    /// The beginning of the subjects of users, up to the last dot.
    user_prefix: Arc<str>,
    /// The same of the subjects of answers.
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

    /// Where everything about a user goes.
    pub(crate) fn user(&self, user: UserId) -> Subject {
        Subject::from(format!("{}{user}", self.user_prefix))
    }

    /// The subject of the answers to one question.
    pub(crate) fn replies(&self, nonce: Nonce) -> Subject {
        Subject::from(format!("{}{nonce}", self.reply_prefix))
    }

    /// The subject that all nodes are subscribed for.
    pub(crate) const fn nodes(&self) -> &Subject {
        &self.nodes
    }
}
