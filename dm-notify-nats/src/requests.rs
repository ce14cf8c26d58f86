//! Requests to other nodes, and their replies.
//!
//! A request has a *nonce*, which is 16 random bytes. Replies go to a subject that contains this
//! nonce. The request's tag covers the nonce, and a reply's tag covers the reply's subject. So a
//! reply is valid for one request only, and is refused if it is replayed for another request.

use async_nats::{StatusCode, Subject, Subscriber};
use futures_util::StreamExt as _;

use crate::codec::{Frame, NodeContent, Nonce};
use crate::shared::Shared;

/// The subscription to the replies to one request. Dropping it unsubscribes.
pub(crate) struct Replies {
    subject: Subject,
    subscriber: Subscriber,
}

/// One reply.
pub(crate) enum Reply {
    /// A reply from a node.
    Frame(Frame<NodeContent>),
    /// The servers' answer that no node is subscribed for the request's subject.
    NoResponders,
}

impl Shared {
    /// Makes a request by calling `request` with a new nonce, subscribes to the replies, and
    /// publishes the request. `None` if the connection is closed.
    pub(crate) async fn request(
        &self,
        subject: Subject,
        request: impl FnOnce(Nonce) -> Vec<u8>,
    ) -> Option<Replies> {
        let nonce = Nonce::fresh();
        let reply = self.subjects.replies(nonce);
        let subscriber = self.client.subscribe(reply.clone()).await.ok()?;
        let request = self.mac.append(&subject, request(nonce));
        // Only the servers use the reply subject of the message, to report that no node is
        // subscribed. Nodes use the nonce in the frame.
        self.client.publish_with_reply(subject, reply.clone(), request).await.ok()?;
        Some(Replies { subject: reply, subscriber })
    }

    /// Publishes a reply to the request with this nonce.
    pub(crate) async fn reply(&self, nonce: Nonce, frame: Vec<u8>) {
        self.publish(self.subjects.replies(nonce), frame).await;
    }
}

impl Replies {
    /// The next reply of a node, or of the servers. Messages that are refused are counted and
    /// skipped. `None` when the connection is closed. Cancel safe.
    pub(crate) async fn next(&mut self, shared: &Shared) -> Option<Reply> {
        loop {
            let message = self.subscriber.next().await?;
            if message.status == Some(StatusCode::NO_RESPONDERS) {
                return Some(Reply::NoResponders);
            }
            match shared.open_node_frame(&self.subject, &message.payload) {
                Ok(frame) => return Some(Reply::Frame(frame)),
                Err(reason) => shared.counters.count_refused(reason),
            }
        }
    }
}
