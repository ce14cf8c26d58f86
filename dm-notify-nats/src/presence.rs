//! Who is connected, here or on another node.

use std::sync::Arc;
use std::time::Duration;

use async_nats::{Request, RequestErrorKind};
use dm_core::{Reach, UserId};
use tokio::sync::Semaphore;

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
    /// Nowhere: the servers know of no node that has the user.
    Nowhere,
    /// Nobody said: the servers cannot be reached, a node did not answer in time, or somebody who is no node answered.
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
            // An inbox of its own: in the one that the client shares, a question without an answer would stay for good.
            let (subject, inbox) = (parts.subjects.of(user), parts.client.new_inbox());
            let question = parts.seal.close(&subject, parts.writer.question());
            let request = Request::new().inbox(inbox.clone()).timeout(Some(self.timeout)).payload(question);
            let answer = parts.client.send_request(subject, request).await;
            Some(answer.map(|answer| parts.hear_node(&inbox, &answer.payload)))
        };
        match tokio::time::timeout(self.timeout, answer).await {
            Ok(Some(Ok(Ok(frame)))) if frame.said == NodeSaid::Here => Presence::Elsewhere,
            Ok(Some(Ok(Err(why)))) => {
                parts.counters.refused(why);
                Presence::Unknown
            }
            Ok(Some(Err(error))) if error.kind() == RequestErrorKind::NoResponders => Presence::Nowhere,
            _ => Presence::Unknown,
        }
    }
}
