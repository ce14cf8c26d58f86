//! One signed-in session: the connection and the requests beside it.

use std::time::Duration;

use dm_client::{
    Client, ClientError, ClientMessageId, Connection, ConnectionConfig, ConnectionState, Content,
    ConversationId, Delivery, End, Event, HistoryRange, Retry, Stored,
    sign_in::{Session, find_people},
};
use tokio::task::JoinSet;

use super::{Command, Gone, Link, News, Worker, reason};

/// Conversations asked for at once, and how often at most.
const LIST_PAGE: u16 = 500;
const LIST_PAGES: usize = 20;
/// Messages of history asked for at once.
const HISTORY_PAGE: u16 = 100;
/// Before a send that failed all its attempts is taken up again, unless the connection comes back earlier.
const SEND_AGAIN: Duration = Duration::from_secs(5);

/// A request that has come to its end.
enum Done {
    Sent {
        id: ClientMessageId,
        result: Result<Stored, ClientError>,
    },
    /// Sending may go on.
    Rested,
    Told(News),
}

impl Worker {
    /// Serves until the connection is over.
    pub(super) async fn serve(&mut self, session: &Session, client: &Client) -> Result<End, Gone> {
        let started = async {
            let key = client.publish_key(&self.account.identity.agreement_key()).await?;
            Ok::<_, ClientError>((key, conversations(client).await?))
        };
        match started.await {
            Ok((key, conversations)) => {
                let own_key_version = key.version.unwrap_or(0);
                let server_id = session.server_id.clone();
                self.tell(News::SignedIn { server_id, own_key_version }).await?;
                self.introduce(conversations).await?;
            }
            // The connection finds out how bad it is, and says so.
            Err(error) => self.tell(News::Trouble(reason(&error))).await?,
        }
        let mut connection = client.connect(ConnectionConfig::default());
        let end = self.converse(session, client, &mut connection).await;
        if end.is_err() {
            connection.close().await;
        }
        end
    }

    async fn converse(
        &mut self,
        session: &Session,
        client: &Client,
        connection: &mut Connection,
    ) -> Result<End, Gone> {
        let mut state = connection.state();
        let mut online = false;
        let mut jobs = JoinSet::new();
        let (mut sending, mut resting) = (false, false);
        loop {
            if !sending
                && !resting
                && let Some(message) = self.outbox.front()
            {
                sending = true;
                let (client, message) = (client.clone(), message.clone());
                jobs.spawn(
                    async move { Done::Sent { id: message.id, result: client.deliver(&message).await } },
                );
            }
            tokio::select! {
                event = connection.next() => match event {
                    Some(Event::Delivery(delivery)) => self.delivery(client, *delivery).await?,
                    Some(_) => {}
                    None => {
                        let state = state.borrow().clone();
                        return Ok(if let ConnectionState::Ended(end) = state { end } else { End::Closed });
                    }
                },
                changed = state.changed() => {
                    let now = state.borrow_and_update().clone();
                    let was_online = std::mem::replace(&mut online, matches!(now, ConnectionState::Online { .. }));
                    resting &= !online || was_online;
                    if changed.is_ok() && !(online && was_online) && let Some(link) = link(now) {
                        self.tell(News::Link(link)).await?;
                    }
                }
                command = self.asked.recv() => match command.ok_or(Gone)? {
                    Command::Deliver(message) => self.enqueue(message),
                    Command::Reconnect => {}
                    Command::Find(query) => {
                        let (server, session) = (self.account.server.clone(), session.clone());
                        jobs.spawn(async move { Done::Told(find(&server, &session, query).await) });
                    }
                    Command::Open(user) => {
                        let client = client.clone();
                        jobs.spawn(async move {
                            Done::Told(match client.open_conversation(&user).await {
                                Ok(conversation) => News::Opened(Box::new(conversation)),
                                Err(error) => News::Trouble(reason(&error)),
                            })
                        });
                    }
                    Command::Older { conversation, before } => {
                        let (client, range) = (client.clone(), HistoryRange::Before(before));
                        jobs.spawn(async move {
                            Done::Told(history(&client, conversation, range).await.unwrap_or_else(News::OlderFailed))
                        });
                    }
                },
                Some(done) = jobs.join_next() => match done {
                    Ok(Done::Sent { id, result }) => {
                        sending = false;
                        match result {
                            Err(error) if error.is_unauthorized() => return Ok(End::Unauthorized),
                            Err(error) if let Retry::Later(asked) = error.retry() => {
                                resting = true;
                                let rest = asked.unwrap_or_default().max(SEND_AGAIN);
                                jobs.spawn(async move {
                                    tokio::time::sleep(rest).await;
                                    Done::Rested
                                });
                            }
                            result => self.sent(id, result).await?,
                        }
                    }
                    Ok(Done::Rested) => resting = false,
                    Ok(Done::Told(news)) => {
                        if let News::Opened(conversation) = &news {
                            self.known.insert(conversation.id);
                        }
                        self.tell(news).await?;
                    }
                    Err(_) => sending = false,
                },
            }
        }
    }

    async fn delivery(&mut self, client: &Client, delivery: Delivery) -> Result<(), Gone> {
        let (content, receipt) = delivery.into_parts();
        match content {
            Content::Message(message) => {
                if !self.known.contains(&message.conversation) {
                    match conversations(client).await {
                        Ok(list) => self.introduce(list).await?,
                        // Not acknowledged: it comes again.
                        Err(error) => return self.tell(News::Trouble(reason(&error))).await,
                    }
                }
                self.tell_and_settle(News::Message(message), receipt).await
            }
            Content::ConversationOpened(conversation) => {
                self.known.insert(conversation.id);
                self.tell_and_settle(News::Conversations(vec![*conversation]), receipt).await
            }
            Content::PeerKeyChanged(record) if record.key != record.user.agreement_key() => {
                let warning = "somebody's published key does not belong to them; it is not used";
                self.tell_and_settle(News::Trouble(warning.to_owned()), receipt).await
            }
            Content::Gap { .. } => {
                for conversation in self.known.clone() {
                    match history(client, conversation, HistoryRange::Newest).await {
                        Ok(news) => self.tell(news).await?,
                        Err(reason) => return self.tell(News::Trouble(reason)).await,
                    }
                }
                self.tell_and_settle(News::Settled, receipt).await
            }
            _ => self.tell_and_settle(News::Settled, receipt).await,
        }
    }

    async fn sent(&mut self, id: ClientMessageId, result: Result<Stored, ClientError>) -> Result<(), Gone> {
        self.outbox.retain(|waiting| waiting.id != id);
        self.tell(match result {
            Ok(stored) => News::Stored { id, stored },
            Err(error) => News::Refused { id, reason: reason(&error) },
        })
        .await
    }

    async fn introduce(&mut self, conversations: Vec<dm_client::Conversation>) -> Result<(), Gone> {
        self.known.extend(conversations.iter().map(|conversation| conversation.id));
        self.tell(News::Conversations(conversations)).await
    }
}

async fn conversations(client: &Client) -> Result<Vec<dm_client::Conversation>, ClientError> {
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

async fn history(client: &Client, conversation: ConversationId, range: HistoryRange) -> Result<News, String> {
    match client.history(conversation, range, HISTORY_PAGE).await {
        Ok(page) => Ok(News::Older { conversation, messages: page.messages }),
        Err(error) => Err(reason(&error)),
    }
}

async fn find(server: &str, session: &Session, query: String) -> News {
    match find_people(server, session, &query, dm_client::Timeouts::default()).await {
        Ok(people) => News::Found { query, people },
        Err(error) => News::Trouble(reason(&error)),
    }
}

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
