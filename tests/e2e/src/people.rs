//! Users with devices.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use dm_client::{
    Client, ClientMessageId, Connection, ConnectionConfig, Content, ConversationId, Event, HistoryRange,
    Identity, InboxSeq, Message, NewMessage, OsEntropy, OutgoingMessage, PeerKey, Reader, RetryPolicy,
    ServerSequence, Stored, Timeouts, Timestamp, UserId, sign_in,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The time limit for messages to reach a device.
const PATIENCE: Duration = Duration::from_secs(60);

/// A user with an account at a host.
#[derive(Debug)]
pub struct Person {
    identity: Arc<Identity>,
    token: String,
    url: String,
}

/// One of a user's devices. It is connected and keeps the messages that it receives.
#[derive(Debug)]
pub struct Device {
    identity: Arc<Identity>,
    client: Client,
    inbox: Arc<Mutex<Inbox>>,
    /// The number of messages in `inbox`.
    count: watch::Receiver<usize>,
    task: JoinHandle<()>,
}

/// The messages that a device received.
#[derive(Debug, Default)]
struct Inbox {
    /// The number of each message in its conversation, and its text, in the order of arrival. No
    /// message may arrive twice.
    messages: Vec<(u64, String)>,
    positions: Vec<InboxSeq>,
}

impl Person {
    /// Makes an identity, signs in with it and publishes its key.
    ///
    /// # Errors
    /// Fails if the host refuses.
    pub async fn sign_in(url: &str, name: &str) -> Result<Self> {
        let identity = Arc::new(Identity::generate(&mut OsEntropy)?);
        let login = sign_in::sign_in(url, &identity, Some(name), None, Timeouts::default()).await?;
        let person = Self { identity, token: login.token, url: url.to_owned() };
        person.client("default")?.publish_key(&person.identity.agreement_key()).await?;
        Ok(person)
    }

    /// The same user at another host that accepts their token.
    #[must_use]
    pub fn at(&self, url: &str) -> Self {
        Self { identity: Arc::clone(&self.identity), token: self.token.clone(), url: url.to_owned() }
    }

    /// The user's public key.
    #[must_use]
    pub fn key(&self) -> UserId {
        self.identity.user_id()
    }

    /// The user's identity, with the secret key.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The token of the user's login at the host.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A client that retries while the host is down.
    ///
    /// # Errors
    /// Fails if the name is not valid for a device.
    pub fn client(&self, device: &str) -> Result<Client> {
        let retry = RetryPolicy {
            attempts: 200,
            first: Duration::from_millis(20),
            longest: Duration::from_millis(500),
        };
        Ok(Client::builder(&self.url).token(&self.token).device(device.parse()?).retry(retry).build()?)
    }

    /// Opens the conversation with another user.
    ///
    /// # Errors
    /// Fails if the host refuses.
    pub async fn open(&self, peer: &UserId) -> Result<ConversationId> {
        Ok(self.client("default")?.open_conversation(peer).await?.id)
    }

    /// Connects a device that reads the messages of a peer and acknowledges them.
    ///
    /// # Errors
    /// Fails if the name is not valid for a device.
    pub fn connect(&self, device: &str, peer: UserId) -> Result<Device> {
        let client = self.client(device)?;
        let connection = client.connect(ConnectionConfig::default());
        let inbox = Arc::new(Mutex::new(Inbox::default()));
        let (counter, count) = watch::channel(0);
        let reader = Reader::new(Arc::clone(&self.identity));
        let task =
            tokio::spawn(listen(connection, reader, PeerKey::derived(peer), Arc::clone(&inbox), counter));
        Ok(Device { identity: Arc::clone(&self.identity), client, inbox, count, task })
    }
}

impl Device {
    /// Sends a text and returns the answer of the host. Retries with the same id until there is an
    /// answer.
    ///
    /// # Errors
    /// Fails if the host refuses, or is down for too long.
    pub async fn send(&self, conversation: ConversationId, to: UserId, text: &str) -> Result<Stored> {
        let id = ClientMessageId::generate(&mut OsEntropy)?;
        let message = NewMessage::new(conversation, PeerKey::derived(to), text.as_bytes());
        let sealed =
            OutgoingMessage::seal(&self.identity, &message, id, Timestamp::from_millis(1), &mut OsEntropy)?;
        Ok(self.client.deliver(&sealed).await?)
    }

    /// Waits until the device has received so many messages.
    ///
    /// # Errors
    /// Fails if that takes longer than a minute.
    pub async fn given(&self, count: usize) -> Result<()> {
        let mut given = self.count.clone();
        let enough = given.wait_for(|given| *given >= count);
        tokio::time::timeout(PATIENCE, enough).await.context("messages are missing")??;
        Ok(())
    }

    /// Waits until the device has received the messages with these numbers, among any others.
    ///
    /// # Errors
    /// Fails if that takes longer than a minute.
    pub async fn given_all(&self, wanted: &BTreeSet<u64>) -> Result<()> {
        let mut given = self.count.clone();
        let all = given.wait_for(|_| {
            let inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
            let there: BTreeSet<u64> = inbox.messages.iter().map(|(number, _)| *number).collect();
            wanted.is_subset(&there)
        });
        tokio::time::timeout(PATIENCE, all).await.context("messages are missing")??;
        Ok(())
    }

    /// Ends the connection. Afterwards the device has all messages that it acknowledged, and
    /// receives no more.
    pub async fn leave(&mut self) {
        self.task.abort();
        let _ended = (&mut self.task).await;
    }

    /// The received texts, by number in the conversation.
    ///
    /// # Errors
    /// Fails if a message arrived twice, or if the positions are not in order.
    pub fn texts(&self) -> Result<BTreeMap<u64, String>> {
        let inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        anyhow::ensure!(inbox.positions.is_sorted(), "positions went back: {:?}", inbox.positions);
        let texts: BTreeMap<_, _> = inbox.messages.iter().cloned().collect();
        anyhow::ensure!(texts.len() == inbox.messages.len(), "a message arrived twice");
        Ok(texts)
    }

    /// The whole history of a conversation, oldest first.
    ///
    /// # Errors
    /// Fails if the host refuses.
    pub async fn history(&self, conversation: ConversationId) -> Result<Vec<Message>> {
        let mut messages: Vec<Message> = Vec::new();
        loop {
            let after =
                HistoryRange::After(messages.last().map_or(ServerSequence::ZERO, |message| message.sequence));
            let page = self.client.history(conversation, after, 100).await?;
            messages.extend(page.messages);
            if !page.has_more {
                return Ok(messages);
            }
        }
    }

    /// The text of a message from either of the two users.
    ///
    /// # Errors
    /// Fails if the message cannot be decrypted.
    pub fn read(&self, message: &Message, peer: UserId) -> Result<String> {
        let reader = Reader::new(Arc::clone(&self.identity));
        Ok(String::from_utf8(reader.open(message, &PeerKey::derived(peer))?.plaintext)?)
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(
    mut connection: Connection,
    reader: Reader,
    peer: PeerKey,
    inbox: Arc<Mutex<Inbox>>,
    count: watch::Sender<usize>,
) {
    while let Some(event) = connection.next().await {
        let Event::Delivery(delivery) = event else { continue };
        if let Content::Message(message) = &delivery.content {
            // A message that cannot be decrypted is kept as this text, so that the test finds it.
            let text = match reader.open(message, &peer) {
                Ok(opened) => String::from_utf8_lossy(&opened.plaintext).into_owned(),
                Err(error) => format!("not opened: {error}"),
            };
            let mut inbox = inbox.lock().unwrap_or_else(PoisonError::into_inner);
            inbox.messages.push((message.sequence.get(), text));
            inbox.positions.push(delivery.seq);
            count.send_replace(inbox.messages.len());
        }
        delivery.acknowledge();
    }
}
