//! People with devices.

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

/// How long messages may take to a device.
const PATIENCE: Duration = Duration::from_secs(60);

/// Somebody with an account at a host.
#[derive(Debug)]
pub struct Person {
    identity: Arc<Identity>,
    token: String,
    url: String,
}

/// One of a person's devices: it is connected, and keeps what it is given.
#[derive(Debug)]
pub struct Device {
    identity: Arc<Identity>,
    client: Client,
    inbox: Arc<Mutex<Inbox>>,
    /// How many messages are in the inbox.
    count: watch::Receiver<usize>,
    task: JoinHandle<()>,
}

/// The messages that a device was given.
#[derive(Debug, Default)]
struct Inbox {
    /// Texts by conversation number, as they came: twice is wrong.
    messages: Vec<(u64, String)>,
    positions: Vec<InboxSeq>,
}

impl Person {
    /// Makes an identity, signs in with it and publishes its key.
    ///
    /// # Errors
    /// When the host refuses.
    pub async fn sign_in(url: &str, name: &str) -> Result<Self> {
        let identity = Arc::new(Identity::generate(&mut OsEntropy)?);
        let session = sign_in::sign_in(url, &identity, Some(name), None, Timeouts::default()).await?;
        let person = Self { identity, token: session.token, url: url.to_owned() };
        person.client("default")?.publish_key(&person.identity.agreement_key()).await?;
        Ok(person)
    }

    /// The same person at another host that knows their token.
    #[must_use]
    pub fn at(&self, url: &str) -> Self {
        Self { identity: Arc::clone(&self.identity), token: self.token.clone(), url: url.to_owned() }
    }

    /// Its public key.
    #[must_use]
    pub fn key(&self) -> UserId {
        self.identity.user_id()
    }

    /// The secret half.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The token of the session at the host.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A client that bears with a host that is away for a while.
    ///
    /// # Errors
    /// When the name is no device.
    pub fn client(&self, device: &str) -> Result<Client> {
        let retry = RetryPolicy {
            attempts: 200,
            first: Duration::from_millis(20),
            longest: Duration::from_millis(500),
        };
        Ok(Client::builder(&self.url).token(&self.token).device(device.parse()?).retry(retry).build()?)
    }

    /// Opens the conversation with somebody.
    ///
    /// # Errors
    /// When the host refuses.
    pub async fn open(&self, peer: &UserId) -> Result<ConversationId> {
        Ok(self.client("default")?.open_conversation(peer).await?.id)
    }

    /// Connects a device that reads what comes from a peer and acknowledges it.
    ///
    /// # Errors
    /// When the name is no device.
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
    /// Sends a text and returns what the host answered. Only an answer counts as sent; until there is one it tries
    /// again under the same id.
    ///
    /// # Errors
    /// When the host refuses, or is away for too long.
    pub async fn send(&self, conversation: ConversationId, to: UserId, text: &str) -> Result<Stored> {
        let id = ClientMessageId::generate(&mut OsEntropy)?;
        let message = NewMessage::new(conversation, PeerKey::derived(to), text.as_bytes());
        let sealed =
            OutgoingMessage::seal(&self.identity, &message, id, Timestamp::from_millis(1), &mut OsEntropy)?;
        Ok(self.client.deliver(&sealed).await?)
    }

    /// Waits until the device was given so many messages.
    ///
    /// # Errors
    /// When it is not within a minute.
    pub async fn given(&self, count: usize) -> Result<()> {
        let mut given = self.count.clone();
        let enough = given.wait_for(|given| *given >= count);
        tokio::time::timeout(PATIENCE, enough).await.context("messages are missing")??;
        Ok(())
    }

    /// Waits until the device was given the messages of these numbers, whatever else it was given.
    ///
    /// # Errors
    /// When it is not within a minute.
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

    /// Ends the connection. Whatever the device acknowledged is in its texts afterwards, and
    /// nothing comes any more.
    pub async fn leave(&mut self) {
        self.task.abort();
        let _ended = (&mut self.task).await;
    }

    /// The texts the device was given, by number in the conversation, and whether positions only ever rose.
    ///
    /// # Errors
    /// When a message came twice.
    pub fn texts(&self) -> Result<BTreeMap<u64, String>> {
        let inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        anyhow::ensure!(inbox.positions.is_sorted(), "positions went back: {:?}", inbox.positions);
        let texts: BTreeMap<_, _> = inbox.messages.iter().cloned().collect();
        anyhow::ensure!(texts.len() == inbox.messages.len(), "a message came twice");
        Ok(texts)
    }

    /// The whole history of a conversation, oldest first.
    ///
    /// # Errors
    /// When the host refuses.
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

    /// The text of a message, whoever of the two sent it.
    ///
    /// # Errors
    /// When it does not open.
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
            // A message that does not open is kept as such, for the test to find.
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
