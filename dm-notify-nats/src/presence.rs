//! Presence: whether a user is connected to this node, to another node, or to none.

use std::sync::Arc;
use std::time::Duration;

use dm_core::UserId;
use dm_core::notify::Reach;
use tokio::sync::Semaphore;

use crate::codec::NodeContent;
use crate::requests::Reply;
use crate::shared::Shared;

/// The maximum number of requests at once. Further requests wait, within their time limits.
const MAX_REQUESTS: usize = 256;

/// Whether a user is connected, and to which node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// The user is connected to this node, and perhaps to others.
    Here,
    /// The user is connected to another node.
    Elsewhere,
    /// The user is connected to no node: the servers know no node that is subscribed for the user.
    /// Another client on the bus can forge this answer.
    Nowhere,
    /// It is unknown whether the user is connected: the servers cannot be reached, or no node
    /// answered in time.
    Unknown,
}

impl Presence {
    /// The value as a notifier's [`Reach`]. [`Unknown`](Self::Unknown) counts as absent, because an
    /// unnecessary wake-up of a phone does less harm than a missing one.
    #[must_use]
    pub const fn reach(self) -> Reach {
        match self {
            Self::Here | Self::Elsewhere => Reach::Connected,
            Self::Nowhere | Self::Unknown => Reach::Absent,
        }
    }
}

/// Sends presence requests, at most [`MAX_REQUESTS`] at once.
#[derive(Debug)]
pub(crate) struct PresenceRequests {
    permits: Semaphore,
    timeout: Duration,
}

impl PresenceRequests {
    pub(crate) const fn new(timeout: Duration) -> Self {
        Self { permits: Semaphore::const_new(MAX_REQUESTS), timeout }
    }

    /// Finds out whether a user is connected. Asks other nodes only if the user is not connected
    /// here.
    pub(crate) async fn ask(&self, shared: &Arc<Shared>, user: UserId) -> Presence {
        if shared.hub.is_connected(user) {
            return Presence::Here;
        }
        if !shared.is_connected() {
            return Presence::Unknown;
        }
        let answer = async {
            let _permit = self.permits.acquire().await.ok()?;
            let subject = shared.subjects.user(user);
            let mut replies = shared.request(subject, |nonce| shared.writer.presence_request(nonce)).await?;
            loop {
                match replies.next(shared).await? {
                    Reply::NoResponders => return Some(Presence::Nowhere),
                    Reply::Frame(frame) if frame.content == NodeContent::UserConnected => {
                        return Some(Presence::Elsewhere);
                    }
                    Reply::Frame(_) => {}
                }
            }
        };
        tokio::time::timeout(self.timeout, answer).await.ok().flatten().unwrap_or(Presence::Unknown)
    }
}
