//! [`Client::send`] and [`Client::deliver`], which retry until the outcome of a send is known.

use super::handle::Client;
use crate::error::{ClientError, Retry};
use crate::identity::Identity;
use crate::ids::ClientMessageId;
use crate::message::Stored;
use crate::outgoing::{NewMessage, OutgoingMessage};
use crate::record::{KeyTrust, PeerKey};

/// Maximum number of times that one send encrypts its message again because the recipient's key has
/// changed. A server that reports another key each time could otherwise keep a send busy for ever.
const MAX_RESEALS: u32 = 3;

impl Client {
    /// Encrypts and sends a message. After a success, the server has stored the message exactly
    /// once.
    ///
    /// Every attempt has the same client message id and the same bytes, so the server stores one
    /// message even if several attempts reach it.
    ///
    /// If the server answers that the recipient has another key, and `trust` accepts this key, the
    /// message is encrypted again **under the same id**:
    ///
    /// - This answer proves that nothing is stored under the id, because the server looks for a
    ///   repeated send before it checks the key.
    /// - If an earlier attempt reaches the server after this answer, the server refuses that
    ///   attempt, because it names the old key, or an id that is used by then.
    /// - With a new id, the server could store the earlier attempt as a second message.
    ///
    /// To keep the message over a restart of the program, use [`OutgoingMessage::seal`], write the
    /// result to disk, and pass it to [`deliver`](Self::deliver).
    ///
    /// # Errors
    ///
    /// [`ClientError`] if the message cannot be encrypted or sent. If the error's
    /// [`retry`](ClientError::retry) is not `Never`, the message may or may not be stored. If
    /// [`is_message_id_reused`](ClientError::is_message_id_reused) is true, the message is stored:
    /// read the history to find it.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the message may or may not be stored, and its id is lost. Use
    /// `deliver` to keep the id.
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
                Err(ClientError::StaleKey { current }) if reseals < MAX_RESEALS => {
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

    /// Sends an encrypted message, and retries until the outcome is known or the attempts of the
    /// client's [`RetryPolicy`](crate::RetryPolicy) are used up. The same message may be delivered
    /// again at any later time.
    ///
    /// The client retries after an attempt without an answer, and after a refusal that may be
    /// temporary (429, 503 and others; see [`Problem::retry`](crate::Problem::retry)). Each wait is
    /// at least as long as the server asks for. If the server asks for a longer wait than the
    /// policy's `longest`, there is no retry.
    ///
    /// # Errors
    ///
    /// The error of the last attempt; see [`post_message`](Self::post_message).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the message may or may not be stored. To find out, deliver the
    /// same message again.
    pub async fn deliver(&self, message: &OutgoingMessage) -> Result<Stored, ClientError> {
        let mut failures = 0;
        loop {
            let error = match self.post_message(message).await {
                Ok(stored) => return Ok(stored),
                Err(error) => error,
            };
            failures += 1;
            let Retry::Later(requested_wait) = error.retry() else { return Err(error) };
            let requested_wait = requested_wait.unwrap_or_default();
            if failures >= self.retry.attempts || requested_wait > self.retry.longest {
                return Err(error);
            }
            let wait = self.retry.delay_after(failures, &mut *self.entropy.lock()).max(requested_wait);
            tracing::debug!(message = %message.id, failures, ?wait, %error, "retrying a send");
            self.clock.sleep(wait).await;
        }
    }
}
