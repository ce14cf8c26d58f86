//! Who is connected, here or on another node.

use std::sync::Arc;
use std::time::Duration;

use dm_core::UserId;
use dm_core::notify::Reach;
use tokio::sync::Semaphore;

use crate::answers::Answer;
use crate::codec::NodeSaid;
use crate::parts::Parts;

/// Questions that may be under way at once. Further ones wait, within the time that each has.
const QUESTIONS: usize = 256;

/// Where a user is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// On this node, and perhaps on others.
    Here,
    /// On another node.
    Elsewhere,
    /// Nowhere: the servers know of no node that has the user. Somebody on the bus can say so in
    /// their name.
    Nowhere,
    /// Nobody said: the servers cannot be reached, or no node answered in time.
    Unknown,
}

impl Presence {
    /// What a notifier calls it, taking what is not known as absent: a wake-up too many does less harm than one too few.
    #[must_use]
    pub const fn reach(self) -> Reach {
        match self {
            Self::Here | Self::Elsewhere => Reach::Connected,
            Self::Nowhere | Self::Unknown => Reach::Absent,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Questions {
    room: Semaphore,
    timeout: Duration,
}

impl Questions {
    pub(crate) const fn new(timeout: Duration) -> Self {
        Self { room: Semaphore::const_new(QUESTIONS), timeout }
    }

    pub(crate) async fn ask(&self, parts: &Arc<Parts>, user: UserId) -> Presence {
        if parts.hub.is_connected(user) {
            return Presence::Here;
        }
        if !parts.is_connected() {
            return Presence::Unknown;
        }
        let answer = async {
            let _room = self.room.acquire().await.ok()?;
            let subject = parts.subjects.of(user);
            let mut answers = parts.ask(subject, |nonce| parts.writer.question(nonce)).await?;
            loop {
                match answers.next(parts).await? {
                    Answer::Nobody => return Some(Presence::Nowhere),
                    Answer::Said(frame) if frame.said == NodeSaid::Here => return Some(Presence::Elsewhere),
                    Answer::Said(_) => {}
                }
            }
        };
        tokio::time::timeout(self.timeout, answer).await.ok().flatten().unwrap_or(Presence::Unknown)
    }
}
