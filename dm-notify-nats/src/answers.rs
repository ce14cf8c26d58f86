//! Questions that this node asks the others, and what comes back.
//!
//! Answers go to a subject that the question's nonce names. The question's tag is over its nonce,
//! and the tag of an answer is over its subject, so an answer fits one question only: one that was
//! recorded, or that another question got, is none.

use async_nats::{StatusCode, Subject, Subscriber};
use futures_util::StreamExt as _;

use crate::codec::{Frame, NodeSaid, Nonce};
use crate::parts::Parts;

/// The answers to one question. Dropping it ends the subscription.
pub(crate) struct Answers {
    subject: Subject,
    subscriber: Subscriber,
}

/// Something that came back.
pub(crate) enum Answer {
    Said(Frame<NodeSaid>),
    /// By the servers: nobody is subscribed for the question's subject.
    Nobody,
}

impl Parts {
    /// Publishes a question. `None` if the connection was closed, or takes none.
    pub(crate) async fn ask(
        &self,
        subject: Subject,
        question: impl FnOnce(Nonce) -> Vec<u8>,
    ) -> Option<Answers> {
        let nonce = Nonce::fresh();
        let reply = self.subjects.answers(nonce);
        let subscriber = self.client.subscribe(reply.clone()).await.ok()?;
        let question = self.seal.close(&subject, question(nonce));
        // The reply is for the servers, which say there that nobody is subscribed. Nodes go by the
        // nonce.
        self.client.publish_with_reply(subject, reply.clone(), question).await.ok()?;
        Some(Answers { subject: reply, subscriber })
    }

    /// Answers a question.
    pub(crate) async fn answer(&self, nonce: Nonce, frame: Vec<u8>) {
        self.publish(self.subjects.answers(nonce), frame).await;
    }
}

impl Answers {
    /// The next answer of a node, or of the servers. Messages of others are counted and passed
    /// over. `None` once the connection was closed. Cancel safe.
    pub(crate) async fn next(&mut self, parts: &Parts) -> Option<Answer> {
        loop {
            let message = self.subscriber.next().await?;
            if message.status == Some(StatusCode::NO_RESPONDERS) {
                return Some(Answer::Nobody);
            }
            match parts.open_of_nodes(&self.subject, &message.payload) {
                Ok(frame) => return Some(Answer::Said(frame)),
                Err(why) => parts.counters.refused(why),
            }
        }
    }
}
