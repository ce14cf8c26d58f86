//! The network task: signs in, stays connected, carries out commands and reports events.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use dm_client::sign_in::{self, Login, Person};
use dm_client::{
    Client, ClientError, ClientMessageId, Conversation, ConversationId, DeviceId, End, Identity, KeyVersion,
    Message, OutgoingMessage, Receipt, Retry, ServerSequence, Stored, Timeouts, UserId,
};
use tokio::sync::mpsc;

mod signed_in;

/// Maximum number of commands, and of events, that wait.
const QUEUE: usize = 256;
/// The wait before the next sign-in after a token has expired.
const SIGN_IN_DELAY: Duration = Duration::from_secs(1);
/// Maximum wait between attempts to sign in.
const MAX_SIGN_IN_DELAY: Duration = Duration::from_secs(30);

/// A request of the program to the network task.
#[derive(Debug)]
pub(crate) enum Command {
    /// Send a message, and retry until the outcome is known.
    Deliver(OutgoingMessage),
    /// Search users by name.
    Find(String),
    /// Open the conversation with a user.
    Open(UserId),
    /// Read the messages of a conversation below a number.
    Older { conversation: ConversationId, before: ServerSequence },
    /// Connect again, after the task has stopped or while it waits for the next attempt.
    Reconnect,
}

/// An event of the network task.
#[derive(Debug)]
pub(crate) enum NetEvent {
    Link(Link),
    SignedIn {
        server_id: String,
        own_key_version: Option<KeyVersion>,
    },
    Conversations(Vec<Conversation>),
    /// The answer to [`Command::Open`].
    Opened(Box<Conversation>),
    Message(Box<Message>),
    /// The answer to [`Command::Older`].
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
    /// There is nothing to show; the event only carries a receipt.
    Nothing,
    /// An action failed, for this reason.
    Failed(String),
}

/// An event, and the receipt to acknowledge once its effect is on disk.
#[derive(Debug)]
pub(crate) struct TrackedEvent {
    pub(crate) event: NetEvent,
    pub(crate) receipt: Option<Receipt>,
}

/// The state of the connection to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Connecting,
    Online,
    /// Not connected. The next attempt follows after `retry_in`.
    Offline {
        reason: String,
        retry_in: Duration,
    },
    /// Not connected, for this reason. No attempt follows before [`Command::Reconnect`].
    Stopped(String),
}

/// The user and the server to sign in at.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) server: String,
    pub(crate) name: String,
    pub(crate) identity: Arc<Identity>,
    pub(crate) device: DeviceId,
    /// The id of the server from an earlier sign-in; `None` before the first.
    pub(crate) server_id: Option<String>,
}

/// The program's side of the network task.
#[derive(Debug)]
pub(crate) struct Net {
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) events: mpsc::Receiver<TrackedEvent>,
    task: tokio::task::JoinHandle<()>,
}

impl Net {
    /// Starts the task.
    pub(crate) fn start(account: Account) -> Self {
        let (commands, command_receiver) = mpsc::channel(QUEUE);
        let (event_sender, events) = mpsc::channel(QUEUE);
        let worker = Worker {
            account,
            commands: command_receiver,
            events: event_sender,
            outbox: VecDeque::new(),
            known: HashSet::new(),
        };
        Self { commands, events, task: tokio::spawn(worker.run()) }
    }

    /// Disconnects. Takes at most two seconds.
    pub(crate) async fn close(self) {
        let Self { commands, events, task } = self;
        drop((commands, events));
        // Two seconds are enough for the last acknowledgement. Deliveries without an
        // acknowledgement come again.
        let _closed = tokio::time::timeout(Duration::from_secs(2), task).await;
    }
}

/// The state of the network task.
struct Worker {
    account: Account,
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<TrackedEvent>,
    /// The messages to send, oldest first. A request may already be sending the first message.
    outbox: VecDeque<OutgoingMessage>,
    /// The conversations that were reported to the program.
    known: HashSet<ConversationId>,
}

/// The program has dropped its side of the task.
struct ProgramEnded;

impl Worker {
    async fn run(mut self) {
        // The only end of the task is that the program drops its side.
        let Err(ProgramEnded) = self.stay_connected().await;
    }

    async fn stay_connected(&mut self) -> Result<std::convert::Infallible, ProgramEnded> {
        let mut failures = 0;
        loop {
            self.emit(NetEvent::Link(Link::Connecting)).await?;
            match self.sign_in().await {
                Ok((login, client)) => {
                    failures = 0;
                    let stop_reason = match self.run_signed_in(&login, &client).await? {
                        End::Unauthorized => {
                            // Without the wait, a server that refuses every token would cause a
                            // sign-in without a pause after each refusal.
                            self.wait_up_to(SIGN_IN_DELAY).await?;
                            continue;
                        }
                        End::Replaced => "this profile is in use in another window".to_owned(),
                        end => end.to_string(),
                    };
                    self.wait_for_reconnect(stop_reason).await?;
                }
                Err(error) if error.retry() == Retry::Never => {
                    self.wait_for_reconnect(reason(&error)).await?;
                }
                Err(error) => {
                    failures += 1;
                    let retry_in = MAX_SIGN_IN_DELAY.min(Duration::from_secs(1 << failures.min(5)));
                    self.emit(NetEvent::Link(Link::Offline { reason: reason(&error), retry_in })).await?;
                    self.wait_up_to(retry_in).await?;
                }
            }
        }
    }

    async fn sign_in(&mut self) -> Result<(Login, Client), ClientError> {
        let Account { server, name, identity, device, server_id } = &mut self.account;
        let timeouts = Timeouts::default();
        let login = sign_in::sign_in(server, identity, Some(name), server_id.as_deref(), timeouts).await?;
        *server_id = Some(login.server_id.clone());
        let client =
            Client::builder(server.clone()).token(login.token.clone()).device(device.clone()).build()?;
        Ok((login, client))
    }

    /// Waits until the program requests a reconnect, but for at most `max_wait`.
    async fn wait_up_to(&mut self, max_wait: Duration) -> Result<(), ProgramEnded> {
        tokio::select! {
            () = tokio::time::sleep(max_wait) => Ok(()),
            requested = self.reconnect_requested() => requested,
        }
    }

    async fn wait_for_reconnect(&mut self, stop_reason: String) -> Result<(), ProgramEnded> {
        self.emit(NetEvent::Link(Link::Stopped(stop_reason))).await?;
        self.reconnect_requested().await
    }

    /// Takes commands while there is no connection, until the program requests a reconnect.
    /// Messages to send are kept, other commands fail.
    async fn reconnect_requested(&mut self) -> Result<(), ProgramEnded> {
        loop {
            match self.commands.recv().await.ok_or(ProgramEnded)? {
                Command::Deliver(message) => self.enqueue(message),
                Command::Reconnect => return Ok(()),
                Command::Find(_) | Command::Open(_) => {
                    self.emit(NetEvent::Failed("not connected".to_owned())).await?;
                }
                Command::Older { .. } => self.emit(NetEvent::OlderFailed("not connected".to_owned())).await?,
            }
        }
    }

    fn enqueue(&mut self, message: OutgoingMessage) {
        if self.outbox.iter().all(|waiting| waiting.id != message.id) {
            self.outbox.push_back(message);
        }
    }

    async fn emit(&self, event: NetEvent) -> Result<(), ProgramEnded> {
        self.events.send(TrackedEvent { event, receipt: None }).await.map_err(|_| ProgramEnded)
    }

    async fn emit_with_receipt(&self, event: NetEvent, receipt: Receipt) -> Result<(), ProgramEnded> {
        self.events.send(TrackedEvent { event, receipt: Some(receipt) }).await.map_err(|_| ProgramEnded)
    }
}

/// The text of an error for the user.
fn reason(error: &ClientError) -> String {
    match error {
        ClientError::WrongServerId => {
            "another server than before answers at this address; give --data for a profile of its own"
                .to_owned()
        }
        error => error.to_string(),
    }
}
