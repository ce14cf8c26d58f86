//! The network side: signs in, stays connected, sends what it is given, and tells what happens.

use std::{collections::HashSet, sync::Arc, time::Duration};

use dm_client::{
    Client, ClientError, ClientMessageId, Conversation, ConversationId, Device, End, Identity, Message,
    OutgoingMessage, PublicKey, Receipt, Retry, Stored, Timeouts,
    sign_in::{self, Person, Session},
};
use tokio::sync::mpsc;

mod session;

/// Commands and news that wait, at most.
const QUEUE: usize = 256;
/// Before signing in again when a token has come to its end.
const SIGN_IN_AGAIN: Duration = Duration::from_secs(1);
/// Between attempts to sign in, at most.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What the program asks for.
#[derive(Debug)]
pub(crate) enum Command {
    /// Send this, for as long as it takes.
    Deliver(OutgoingMessage),
    /// Find people by name.
    Find(String),
    /// Open the conversation with this user.
    Open(PublicKey),
    /// Read messages older than this.
    Older { conversation: ConversationId, before: u64 },
    /// Connect again after having stopped.
    Reconnect,
}

/// What the network tells.
#[derive(Debug)]
pub(crate) enum News {
    Link(Link),
    SignedIn {
        server_id: String,
        own_key_version: u32,
    },
    Conversations(Vec<Conversation>),
    /// The conversation asked for.
    Opened(Box<Conversation>),
    Message(Box<Message>),
    /// The older messages asked for.
    Older {
        conversation: ConversationId,
        messages: Vec<Message>,
    },
    OlderFailed(String),
    Found {
        query: String,
        people: Vec<Person>,
    },
    Stored {
        id: ClientMessageId,
        stored: Stored,
    },
    Refused {
        id: ClientMessageId,
        reason: String,
    },
    /// Nothing to show, only to acknowledge.
    Settled,
    Trouble(String),
}

/// News, and what to acknowledge once its effect is on disk.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) news: News,
    pub(crate) receipt: Option<Receipt>,
}

/// How things stand between here and the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Link {
    Connecting,
    Online,
    /// Not connected; tried again after this long.
    Offline {
        reason: String,
        retry_in: Duration,
    },
    /// Not connected, and not tried again unless asked.
    Stopped(String),
}

/// Who signs in where.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) server: String,
    pub(crate) name: String,
    pub(crate) identity: Arc<Identity>,
    pub(crate) device: Device,
    /// What the server was called before.
    pub(crate) server_id: Option<String>,
}

/// The program's end of the network.
#[derive(Debug)]
pub(crate) struct Net {
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) news: mpsc::Receiver<Parcel>,
    task: tokio::task::JoinHandle<()>,
}

impl Net {
    /// Starts it, in a task of its own.
    pub(crate) fn start(account: Account) -> Self {
        let (commands, asked) = mpsc::channel(QUEUE);
        let (told, news) = mpsc::channel(QUEUE);
        let worker =
            Worker { account, asked, told, outbox: std::collections::VecDeque::new(), known: HashSet::new() };
        Self { commands, news, task: tokio::spawn(worker.run()) }
    }

    /// Says goodbye to the server, in bounded time.
    pub(crate) async fn close(self) {
        let Self { commands, news, task } = self;
        drop((commands, news));
        // Two seconds are enough to acknowledge; what is not acknowledged comes again.
        let _closed = tokio::time::timeout(Duration::from_secs(2), task).await;
    }
}

/// The network's end of the program.
struct Worker {
    account: Account,
    asked: mpsc::Receiver<Command>,
    told: mpsc::Sender<Parcel>,
    /// What is to be sent, oldest first; the first may be under way.
    outbox: std::collections::VecDeque<OutgoingMessage>,
    /// Conversations that the program was told of.
    known: HashSet<ConversationId>,
}

/// The program is gone.
struct Gone;

impl Worker {
    async fn run(mut self) {
        // Ends when the program hangs up.
        let Err(Gone) = self.stay_connected().await;
    }

    async fn stay_connected(&mut self) -> Result<std::convert::Infallible, Gone> {
        let mut failures = 0;
        loop {
            self.tell(News::Link(Link::Connecting)).await?;
            match self.sign_in().await {
                Ok((session, client)) => {
                    failures = 0;
                    let why = match self.serve(&session, &client).await? {
                        End::Unauthorized => {
                            // Not at once: a server might take no token at all.
                            self.wait(SIGN_IN_AGAIN).await?;
                            continue;
                        }
                        End::Replaced => "this account is in use in another window".to_owned(),
                        end => end.to_string(),
                    };
                    self.wait_for_reconnect(why).await?;
                }
                Err(error) if error.retry() == Retry::Never => {
                    self.wait_for_reconnect(reason(&error)).await?;
                }
                Err(error) => {
                    failures += 1;
                    let retry_in = LONGEST_WAIT.min(Duration::from_secs(1 << failures.min(5)));
                    self.tell(News::Link(Link::Offline { reason: reason(&error), retry_in })).await?;
                    self.wait(retry_in).await?;
                }
            }
        }
    }

    async fn sign_in(&mut self) -> Result<(Session, Client), ClientError> {
        let Account { server, name, identity, device, server_id } = &mut self.account;
        let timeouts = Timeouts::default();
        let session = sign_in::sign_in(server, identity, Some(name), server_id.as_deref(), timeouts).await?;
        *server_id = Some(session.server_id.clone());
        let client =
            Client::builder(server.clone()).token(session.token.clone()).device(device.clone()).build()?;
        Ok((session, client))
    }

    /// Waits for a moment; asked to connect again, no longer.
    async fn wait(&mut self, longest: Duration) -> Result<(), Gone> {
        tokio::select! {
            () = tokio::time::sleep(longest) => Ok(()),
            asked = self.reconnect_asked() => asked,
        }
    }

    async fn wait_for_reconnect(&mut self, why: String) -> Result<(), Gone> {
        self.tell(News::Link(Link::Stopped(why))).await?;
        self.reconnect_asked().await
    }

    /// Takes commands while there is no connection: what is to be sent is kept, the rest cannot be done.
    async fn reconnect_asked(&mut self) -> Result<(), Gone> {
        loop {
            match self.asked.recv().await.ok_or(Gone)? {
                Command::Deliver(message) => self.enqueue(message),
                Command::Reconnect => return Ok(()),
                Command::Find(_) | Command::Open(_) => {
                    self.tell(News::Trouble("not connected".to_owned())).await?;
                }
                Command::Older { .. } => self.tell(News::OlderFailed("not connected".to_owned())).await?,
            }
        }
    }

    fn enqueue(&mut self, message: OutgoingMessage) {
        if self.outbox.iter().all(|waiting| waiting.id != message.id) {
            self.outbox.push_back(message);
        }
    }

    async fn tell(&self, news: News) -> Result<(), Gone> {
        self.told.send(Parcel { news, receipt: None }).await.map_err(|_| Gone)
    }

    async fn tell_and_settle(&self, news: News, receipt: Receipt) -> Result<(), Gone> {
        self.told.send(Parcel { news, receipt: Some(receipt) }).await.map_err(|_| Gone)
    }
}

/// An error in a line, for a person.
fn reason(error: &ClientError) -> String {
    match error {
        ClientError::Protocol("the host is another one than expected") => {
            "another server than before answers at this address; give --data for a profile of its own"
                .to_owned()
        }
        error => error.to_string(),
    }
}
