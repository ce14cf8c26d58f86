//! The work while the user is signed in: the connection and the requests beside it.

use std::time::Duration;

use dm_client::sign_in::{Login, find_people};
use dm_client::{
    Client, ClientError, ClientMessageId, Connection, ConnectionConfig, ConnectionState, Content,
    ConversationId, Delivery, End, Event, HistoryRange, Retry, Stored,
};
use tokio::task::JoinSet;

use super::{Command, Link, NetEvent, ProgramEnded, Worker, reason};

/// Conversations per page of the list.
const LIST_PAGE: u16 = 500;
/// Maximum number of pages of the list that are read.
const LIST_PAGES: usize = 20;
/// Messages per page of history.
const HISTORY_PAGE: u16 = 100;
/// The wait before a message is sent again after all attempts of a send have failed. The wait also
/// ends when the connection is online again.
const SEND_DELAY: Duration = Duration::from_secs(5);

/// The result of a background request.
enum Done {
    Sent {
        id: ClientMessageId,
        result: Result<Stored, ClientError>,
    },
    /// The wait after a failed send is over.
    SendWaitOver,
    Event(NetEvent),
}

impl Worker {
    /// Runs the connection and the requests of a login until the connection ends.
    pub(super) async fn run_signed_in(
        &mut self,
        login: &Login,
        client: &Client,
    ) -> Result<End, ProgramEnded> {
        let started = async {
            let key = client.publish_key(&self.account.identity.agreement_key()).await?;
            Ok::<_, ClientError>((key, list_conversations(client).await?))
        };
        match started.await {
            Ok((key, conversations)) => {
                let own_key_version = key.version;
                let server_id = login.server_id.clone();
                self.emit(NetEvent::SignedIn { server_id, own_key_version }).await?;
                self.add_known(conversations).await?;
            }
            // If the login is not valid, the connection reports it.
            Err(error) => self.emit(NetEvent::Failed(reason(&error))).await?,
        }
        let mut connection = client.connect(ConnectionConfig::default());
        let end = self.run_connection(login, client, &mut connection).await;
        if end.is_err() {
            connection.close().await;
        }
        end
    }

    async fn run_connection(
        &mut self,
        login: &Login,
        client: &Client,
        connection: &mut Connection,
    ) -> Result<End, ProgramEnded> {
        let mut state = connection.state();
        let mut online = false;
        let mut jobs = JoinSet::new();
        let (mut is_sending, mut is_waiting) = (false, false);
        loop {
            if !is_sending
                && !is_waiting
                && let Some(message) = self.outbox.front()
            {
                is_sending = true;
                let (client, message) = (client.clone(), message.clone());
                jobs.spawn(
                    async move { Done::Sent { id: message.id, result: client.deliver(&message).await } },
                );
            }
            tokio::select! {
                event = connection.next() => match event {
                    Some(Event::Delivery(delivery)) => self.handle_delivery(client, *delivery).await?,
                    Some(_) => {}
                    None => {
                        let state = state.borrow().clone();
                        return Ok(if let ConnectionState::Ended(end) = state { end } else { End::Closed });
                    }
                },
                changed = state.changed() => {
                    let now = state.borrow_and_update().clone();
                    let was_online = std::mem::replace(&mut online, matches!(now, ConnectionState::Online { .. }));
                    is_waiting &= !online || was_online;
                    if changed.is_ok() && !(online && was_online) && let Some(link) = link(now) {
                        self.emit(NetEvent::Link(link)).await?;
                    }
                }
                command = self.commands.recv() => match command.ok_or(ProgramEnded)? {
                    Command::Deliver(message) => self.enqueue(message),
                    Command::Reconnect => {}
                    Command::Find(query) => {
                        let (server, login) = (self.account.server.clone(), login.clone());
                        jobs.spawn(async move { Done::Event(find(&server, &login, query).await) });
                    }
                    Command::Open(user) => {
                        let client = client.clone();
                        jobs.spawn(async move {
                            Done::Event(match client.open_conversation(&user).await {
                                Ok(conversation) => NetEvent::Opened(Box::new(conversation)),
                                Err(error) => NetEvent::Failed(reason(&error)),
                            })
                        });
                    }
                    Command::Older { conversation, before } => {
                        let (client, range) = (client.clone(), HistoryRange::Before(before));
                        jobs.spawn(async move {
                            Done::Event(history(&client, conversation, range).await.unwrap_or_else(NetEvent::OlderFailed))
                        });
                    }
                },
                Some(done) = jobs.join_next() => match done {
                    Ok(Done::Sent { id, result }) => {
                        is_sending = false;
                        match result {
                            Err(error) if error.is_unauthorized() => return Ok(End::Unauthorized),
                            Err(error) if let Retry::Later(asked) = error.retry() => {
                                is_waiting = true;
                                let wait = asked.unwrap_or_default().max(SEND_DELAY);
                                jobs.spawn(async move {
                                    tokio::time::sleep(wait).await;
                                    Done::SendWaitOver
                                });
                            }
                            result => self.report_outcome(id, result).await?,
                        }
                    }
                    Ok(Done::SendWaitOver) => is_waiting = false,
                    Ok(Done::Event(event)) => {
                        if let NetEvent::Opened(conversation) = &event {
                            self.known.insert(conversation.id);
                        }
                        self.emit(event).await?;
                    }
                    Err(_) => is_sending = false,
                },
            }
        }
    }

    /// Reports a delivery to the program, with its receipt.
    async fn handle_delivery(&mut self, client: &Client, delivery: Delivery) -> Result<(), ProgramEnded> {
        let (content, receipt) = delivery.into_parts();
        match content {
            Content::Message(message) => {
                if !self.known.contains(&message.conversation) {
                    match list_conversations(client).await {
                        Ok(list) => self.add_known(list).await?,
                        // The delivery is not acknowledged, so it comes again.
                        Err(error) => return self.emit(NetEvent::Failed(reason(&error))).await,
                    }
                }
                self.emit_with_receipt(NetEvent::Message(message), receipt).await
            }
            Content::ConversationOpened(conversation) => {
                self.known.insert(conversation.id);
                self.emit_with_receipt(NetEvent::Conversations(vec![*conversation]), receipt).await
            }
            Content::PeerKeyChanged(record) if record.key != record.user.agreement_key() => {
                let warning = "a published key does not belong to its user; it is not used";
                self.emit_with_receipt(NetEvent::Failed(warning.to_owned()), receipt).await
            }
            Content::Gap { .. } => {
                for conversation in self.known.clone() {
                    match history(client, conversation, HistoryRange::Newest).await {
                        Ok(event) => self.emit(event).await?,
                        Err(reason) => return self.emit(NetEvent::Failed(reason)).await,
                    }
                }
                self.emit_with_receipt(NetEvent::Nothing, receipt).await
            }
            _ => self.emit_with_receipt(NetEvent::Nothing, receipt).await,
        }
    }

    /// Removes a message from the outbox, and reports the outcome of its send.
    async fn report_outcome(
        &mut self,
        id: ClientMessageId,
        result: Result<Stored, ClientError>,
    ) -> Result<(), ProgramEnded> {
        self.outbox.retain(|waiting| waiting.id != id);
        self.emit(match result {
            Ok(stored) => NetEvent::Stored { id, stored },
            Err(error) => NetEvent::Refused { id, reason: reason(&error) },
        })
        .await
    }

    async fn add_known(&mut self, conversations: Vec<dm_client::Conversation>) -> Result<(), ProgramEnded> {
        self.known.extend(conversations.iter().map(|conversation| conversation.id));
        self.emit(NetEvent::Conversations(conversations)).await
    }
}

/// The user's conversations, from at most [`LIST_PAGES`] pages.
async fn list_conversations(client: &Client) -> Result<Vec<dm_client::Conversation>, ClientError> {
    let (mut all, mut cursor) = (Vec::new(), None);
    for _ in 0..LIST_PAGES {
        let page = client.conversations(LIST_PAGE, cursor.as_deref()).await?;
        all.extend(page.conversations);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    Ok(all)
}

async fn history(
    client: &Client,
    conversation: ConversationId,
    range: HistoryRange,
) -> Result<NetEvent, String> {
    match client.history(conversation, range, HISTORY_PAGE).await {
        Ok(page) => Ok(NetEvent::Older { conversation, messages: page.messages }),
        Err(error) => Err(reason(&error)),
    }
}

async fn find(server: &str, login: &Login, query: String) -> NetEvent {
    match find_people(server, login, &query, dm_client::Timeouts::default()).await {
        Ok(people) => NetEvent::Found { query, people },
        Err(error) => NetEvent::Failed(reason(&error)),
    }
}

/// The state to report for a state of the connection; `None` when the connection has ended.
fn link(state: ConnectionState) -> Option<Link> {
    match state {
        ConnectionState::Connecting => Some(Link::Connecting),
        ConnectionState::Online { .. } => Some(Link::Online),
        ConnectionState::Waiting { retry_in, reason } => {
            Some(Link::Offline { reason: reason.to_string(), retry_in })
        }
        _ => None,
    }
}
