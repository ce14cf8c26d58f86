//! Sending until the outcome is known.

use super::Client;
use crate::{
    error::{ClientError, Retry},
    identity::Identity,
    ids::ClientMessageId,
    message::Stored,
    outgoing::{NewMessage, OutgoingMessage},
    record::{KeyTrust, PeerKey},
};

/// How often a message is encrypted anew in one send because the recipient's key has changed.
const RESEALS: u32 = 3;

impl Client {
    /// Encrypts and sends a message. When this returns without an error, the server has stored it, once.
    ///
    /// Every attempt carries the same client message id and the same bytes, so that however many of them reach the
    /// server, one message is stored. Only when the server answers that the recipient has another key is the
    /// message encrypted anew, **under the same id**. That answer proves that nothing is stored under the id, since
    /// a server looks for a repeat first; and should an earlier attempt still be on its way, it names the old key
    /// and is refused, or finds its id taken and is refused. Under a new id, it could have been stored beside.
    ///
    /// To keep the message over a restart of the program, [seal](OutgoingMessage::seal) it, write it down and
    /// [`deliver`](Self::deliver) it.
    ///
    /// # Errors
    ///
    /// [`ClientError`]. If its [`retry`](ClientError::retry) is not `Never`, the message may or may not be stored.
    /// After [`is_message_id_reused`](ClientError::is_message_id_reused), it is: look at the history.
    ///
    /// # Cancel safety
    ///
    /// A dropped send may or may not have stored the message, and its id is lost: prefer `deliver`.
    pub async fn send(
        &self,
        identity: &Identity,
        message: &NewMessage<'_>,
        trust: KeyTrust,
    ) -> Result<Stored, ClientError> {
        let id = ClientMessageId::generate(&mut *self.entropy.lock())
            .map_err(|error| ClientError::Seal(error.into()))?;
        let sent_at = self.clock.now();
        let mut message = message.clone();
        let mut reseals = 0;
        loop {
            let sealed = OutgoingMessage::seal(identity, &message, id, sent_at, &mut *self.entropy.lock())?;
            match self.deliver(&sealed).await {
                Err(ClientError::StaleKey { current }) if reseals < RESEALS => {
                    let peer = message.peer.user();
                    let record = match current {
                        Some(record) => *record,
                        None => self.key(&peer).await?,
                    };
                    message.peer = PeerKey::from_record(peer, &record, trust)?;
                    reseals += 1;
                }
                outcome => return outcome,
            }
        }
    }

    /// Sends a sealed message, again and again until the outcome is known or the attempts of the client's
    /// [`RetryPolicy`](crate::RetryPolicy) are used up. It may be repeated at any later time, too.
    ///
    /// Tried again are: what did not reach the server or brought no answer, and what the server says may pass (429,
    /// 503 and the like). It waits for as long as the server asks, up to the policy's longest wait.
    ///
    /// # Errors
    ///
    /// As [`post_message`](Self::post_message).
    ///
    /// # Cancel safety
    ///
    /// A dropped delivery may or may not have stored the message; deliver the same one again to learn.
    pub async fn deliver(&self, message: &OutgoingMessage) -> Result<Stored, ClientError> {
        let mut failures = 0;
        loop {
            let error = match self.post_message(message).await {
                Ok(stored) => return Ok(stored),
                Err(error) => error,
            };
            failures += 1;
            let Retry::Later(asked) = error.retry() else { return Err(error) };
            let asked = asked.unwrap_or_default();
            if failures >= self.retry.attempts || asked > self.retry.longest {
                return Err(error);
            }
            let wait = self.retry.wait(failures, &mut *self.entropy.lock()).max(asked);
            tracing::debug!(message = %message.id, failures, ?wait, %error, "will send again");
            self.clock.sleep(wait).await;
        }
    }
}
