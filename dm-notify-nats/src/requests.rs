//! Questions that this node asks the others, and what comes back.
//!
//! Answers go to a subject that the question's nonce names. The question's tag is over its nonce,
//! and the tag of an answer is over its subject, so an answer fits one question only: one that was
//! recorded, or that another question got, is none.

use async_nats::{StatusCode, Subject, Subscriber};
use futures_util::StreamExt as _;

use crate::codec::{Frame, NodeContent, Nonce};
use crate::shared::Shared;

/// The answers to one question. Dropping it ends the subscription.
pub(crate) struct Replies {
    subject: Subject,
    subscriber: Subscriber,
}

/// Something that came back.
pub(crate) enum Reply {
    UserContent(Frame<NodeContent>),
    /// By the servers: nobody is subscribed for the question's subject.
    NoResponders,
}

impl Shared {
    /// Publishes a question. `None` if the connection was closed, or takes none.
    pub(crate) async fn request(
        &self,
        subject: Subject,
        request: impl FnOnce(Nonce) -> Vec<u8>,
    ) -> Option<Replies> {
        let nonce = Nonce::fresh();
        let reply = self.subjects.replies(nonce);
        let subscriber = self.client.subscribe(reply.clone()).await.ok()?;
        let request = self.mac.append(&subject, request(nonce));
        // The reply is for the servers, which say there that nobody is subscribed. Nodes go by the
        // nonce.
        self.client.publish_with_reply(subject, reply.clone(), question).await.ok()?;
        Some(Replies { subject: reply, subscriber })
    }

    /// Answers a question.
    pub(crate) async fn reply(&self, nonce: Nonce, frame: Vec<u8>) {
        self.publish(self.subjects.replies(nonce), frame).await;
    }
}

impl Replies {
    /// The next answer of a node, or of the servers. Messages of others are counted and passed
    /// over. `None` once the connection was closed. Cancel safe.
    pub(crate) async fn next(&mut self, shared: &Shared) -> Option<Reply> {
        loop {
            let message = self.subscriber.next().await?;
            if message.status == Some(StatusCode::NO_RESPONDERS) {
                return Some(Reply::NoResponders);
            }
            match shared.open_node_frame(&self.subject, &message.payload) {
                Ok(frame) => return Some(Reply::Frame(frame)),
                Err(why) => shared.counters.frame_dropped(why),
            }
        }
    }
}
