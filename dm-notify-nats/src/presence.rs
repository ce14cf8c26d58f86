//! Presence: whether a user is connected, here or to another node.

use std::sync::Arc;
use std::time::Duration;

use dm_core::UserId;
use dm_core::notify::Reach;
use tokio::sync::Semaphore;

use crate::codec::NodeContent;
use crate::requests::Reply;
use crate::shared::Shared;

/// The maximum number of requests at once. Further ones wait, within their time limit.
const MAX_REQUESTS: usize = 256;

/// The node to which a user is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// On this node, and perhaps on others.
    Here,
    /// On another node.
    Elsewhere,
    /// Nowhere: the servers know no node that is subscribed for the user. Another client on the bus
    /// can forge this answer.
    Nowhere,
    /// Unknown: the servers cannot be reached, or no node answered in time.
    Unknown,
}

impl Presence {
    /// The value as a notifier's [`Reach`]. Unknown counts as absent: one wake-up too many does
    /// less harm than one too few.
    #[must_use]
    pub const fn reach(self) -> Reach {
        match self {
            Self::Here | Self::Elsewhere => Reach::Connected,
            Self::Nowhere | Self::Unknown => Reach::Absent,
        }
    }
}

/// Sends presence requests, a bounded number at once.
#[derive(Debug)]
pub(crate) struct PresenceRequests {
    permits: Semaphore,
    timeout: Duration,
}

impl PresenceRequests {
    pub(crate) const fn new(timeout: Duration) -> Self {
        Self { permits: Semaphore::const_new(MAX_REQUESTS), timeout }
    }

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
                    Reply::Frame(frame) if frame.content == NodeContent::Here => {
                        return Some(Presence::Elsewhere);
                    }
                    Reply::Frame(_) => {}
                }
            }
        };
        tokio::time::timeout(self.timeout, answer).await.ok().flatten().unwrap_or(Presence::Unknown)
    }
}
