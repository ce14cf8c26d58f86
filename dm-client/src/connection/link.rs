//! One connection, from its greeting to its end.

use std::{sync::Arc, time::Duration};

use dm_proto::{
    DmAck, DmDelivery, DmGap, DmGoingAway, DmHello, DmProblem, Envelope, dm_client_frame as client,
    dm_delivery::Event as Happened, dm_server_frame::Frame, envelope::Payload,
};

use super::{
    config::Start,
    driver::{Driver, closed},
    event::{Content, Delivery, Event, Receipt},
    over::Over,
    socket::{Heard, Socket},
    state::{ConnectionState, End, Lost},
};
use crate::{
    error::Problem,
    time::{Elapsed, Sleep, within},
    wire::frames,
};

/// The dialect spoken.
const PROTOCOL: u32 = 1;
const HELLO: &str = "hello";
const ACK: &str = "ack";

/// The state of one connection. The positions live longer, in the ledger.
pub(super) struct Link<'a> {
    driver: &'a mut Driver,
    /// What the server has as acknowledged.
    acknowledged: u64,
    /// Whether an acknowledgement waits for its answer; the next one goes out after that, so that they come as fast
    /// as the server can make them durable.
    acknowledging: bool,
    of_use: bool,
}

/// What is done while the server is silent.
enum Patience {
    /// Nothing, until this ends.
    Listening(Sleep),
    /// A ping is out.
    Pinged(Sleep),
}

impl<'a> Link<'a> {
    pub(super) fn new(driver: &'a mut Driver) -> Self {
        Self { driver, acknowledged: 0, acknowledging: false, of_use: false }
    }

    /// Whether the server did what a connection is for. One that only accepts connections is waited for with
    /// growing distance, like one that does not.
    pub(super) fn was_of_use(&self) -> bool {
        self.of_use
    }

    pub(super) async fn run(&mut self) -> Over {
        let mut closing = self.driver.closing.clone();
        let mut socket = tokio::select! {
            socket = self.greet() => match socket {
                Ok(socket) => socket,
                Err(over) => return over,
            },
            () = closed(&mut closing) => return Over::Ended(End::Closed),
        };
        match self.converse(&mut socket).await {
            Ok(()) => {
                self.say_goodbye(&mut socket).await;
                Over::Ended(End::Closed)
            }
            Err(over) => over,
        }
    }

    /// Connects and says hello, until the server's welcome.
    async fn greet(&mut self) -> Result<Socket, Over> {
        let (clock, limit) = (Arc::clone(&self.driver.clock), self.driver.config.timeout);
        let greeting = async {
            let mut socket = Socket::open(&self.driver.http, self.driver.config.max_frame).await?;
            let hello = DmHello {
                device: self.driver.http.device().map(ToString::to_string).unwrap_or_default(),
                protocol: PROTOCOL,
                capabilities: Vec::new(),
                start_now: self.driver.config.start == Start::Now,
            };
            socket.say(&Envelope::client(HELLO, client::Frame::Hello(hello))).await?;
            loop {
                match server_frame(socket.hear().await?) {
                    Some((_, Frame::Welcome(welcome))) => return Ok((socket, welcome.cursor)),
                    Some((_, Frame::Problem(problem))) => return Err(refusal(problem)),
                    Some((_, Frame::GoingAway(going))) => return Err(going_away(&going)),
                    _ => {}
                }
            }
        };
        let (socket, cursor) = match within(&*clock, limit, Box::pin(greeting)).await {
            Ok(greeted) => greeted?,
            Err(Elapsed) => return Err(Lost::Timeout.into()),
        };
        self.driver.ledger.resume_after(cursor);
        self.is_acknowledged(cursor);
        Ok(socket)
    }

    /// Passes on what the server says, acknowledges what the caller has handled, and pings when nothing happens.
    /// Returns when the caller closes the connection.
    async fn converse(&mut self, socket: &mut Socket) -> Result<(), Over> {
        let mut closing = self.driver.closing.clone();
        let ledger = Arc::clone(&self.driver.ledger);
        let (ping_interval, timeout) = (self.driver.config.ping_interval, self.driver.config.timeout);
        let mut patience = Patience::Listening(self.driver.clock.sleep(ping_interval));
        let mut heard_since = false;
        // What was handled while there was no connection.
        self.acknowledge(socket).await?;
        loop {
            let timer = match &mut patience {
                Patience::Listening(timer) | Patience::Pinged(timer) => timer,
            };
            tokio::select! {
                () = closed(&mut closing) => return Ok(()),
                heard = socket.hear() => {
                    heard_since = true;
                    if let Some((request, frame)) = server_frame(heard?) {
                        tokio::select! {
                            handled = self.handle(&request, frame) => handled?,
                            () = closed(&mut closing) => return Ok(()),
                        }
                        self.acknowledge(socket).await?;
                    }
                }
                () = ledger.changed() => self.acknowledge(socket).await?,
                () = timer => {
                    patience = match patience {
                        Patience::Pinged(_) if !heard_since => return Err(Lost::Timeout.into()),
                        Patience::Listening(_) if !heard_since => {
                            self.write(socket.ping()).await?;
                            Patience::Pinged(self.driver.clock.sleep(timeout))
                        }
                        _ => Patience::Listening(self.driver.clock.sleep(ping_interval)),
                    };
                    heard_since = false;
                }
            }
        }
    }

    /// Sends the last acknowledgement and waits for its answer, then closes. What fails here comes again next time.
    async fn say_goodbye(&mut self, socket: &mut Socket) {
        let (clock, limit) = (Arc::clone(&self.driver.clock), self.driver.config.timeout);
        let last_words = async {
            self.acknowledge(socket).await?;
            while self.acknowledging {
                if let Some((request, frame)) = server_frame(socket.hear().await?)
                    && matches!(frame, Frame::Acknowledged(_) | Frame::Problem(_) | Frame::GoingAway(_))
                {
                    self.handle(&request, frame).await?;
                    self.acknowledge(socket).await?;
                }
            }
            Ok::<(), Over>(())
        };
        let said = within(&*clock, limit, Box::pin(last_words)).await;
        if matches!(said, Ok(Ok(()))) {
            // A server that does not say goodbye in turn is left without.
            let _closed = within(&*clock, limit, socket.close()).await;
        }
    }

    async fn handle(&mut self, request: &str, frame: Frame) -> Result<(), Over> {
        match frame {
            Frame::Delivery(delivery) => {
                let (position, at, content) = read_delivery(delivery);
                self.deliver(position, at, content).await;
            }
            Frame::Gap(DmGap { from, to, .. }) => self.deliver(to, 0, Content::Gap { from }).await,
            Frame::CaughtUp(caught_up) => {
                self.of_use = true;
                self.pass_on(Event::CaughtUp { position: caught_up.position }).await;
            }
            Frame::Acknowledged(acknowledged) => {
                self.of_use = true;
                self.acknowledging = false;
                self.is_acknowledged(acknowledged.up_to);
            }
            // Nothing else that this client asks for can be refused; a refusal without a request ends the connection.
            Frame::Problem(problem) if request == ACK || request.is_empty() => return Err(refusal(problem)),
            Frame::GoingAway(going) => return Err(going_away(&going)),
            Frame::Welcome(_) | Frame::Problem(_) | Frame::Sent(_) | Frame::Pong(_) => {}
        }
        Ok(())
    }

    async fn deliver(&mut self, position: u64, at: u64, content: Content) {
        if !self.driver.ledger.take(position) {
            return;
        }
        let receipt = Receipt { position, ledger: Arc::clone(&self.driver.ledger) };
        if let Content::Message(message) = &content
            && self.driver.recent.put(message.id, ()).is_some()
        {
            // The same message at another place. What holds the cursor back is its first.
            return receipt.acknowledge();
        }
        self.pass_on(Event::Delivery(Box::new(Delivery { position, at, content, receipt }))).await;
    }

    async fn pass_on(&self, event: Event) {
        // The receiver is gone only when the caller closes the connection, which is noticed elsewhere.
        let _sent = self.driver.events.send(event).await;
    }

    /// Sends an acknowledgement if there is something to acknowledge and none is under way.
    async fn acknowledge(&mut self, socket: &mut Socket) -> Result<(), Over> {
        let up_to = self.driver.ledger.handled_up_to();
        if self.acknowledging || up_to <= self.acknowledged {
            return Ok(());
        }
        let ack = DmAck { up_to, message_ids: Vec::new() };
        self.write(socket.say(&Envelope::client(ACK, client::Frame::Ack(ack)))).await?;
        self.acknowledging = true;
        Ok(())
    }

    async fn write(&self, work: impl Future<Output = Result<(), Over>>) -> Result<(), Over> {
        let limit = self.driver.config.timeout;
        within(&*self.driver.clock, limit, work).await.unwrap_or(Err(Lost::Timeout.into()))
    }

    fn is_acknowledged(&mut self, up_to: u64) {
        self.acknowledged = self.acknowledged.max(up_to);
        self.driver.state.send_replace(ConnectionState::Online { acknowledged: self.acknowledged });
    }
}

fn server_frame(heard: Heard) -> Option<(String, Frame)> {
    let Heard::Envelope(envelope) = heard else { return None };
    match envelope.payload? {
        Payload::DmServerFrame(server) => Some((envelope.request_id, server.frame?)),
        _ => None,
    }
}

/// An event that is new to this version, or that makes no sense, still has its position.
fn read_delivery(delivery: DmDelivery) -> (u64, u64, Content) {
    let content = match delivery.event {
        Some(Happened::Message(event)) => event
            .message
            .and_then(|message| frames::message(message).ok())
            .map(|message| Content::Message(Box::new(message))),
        Some(Happened::ConversationCreated(event)) => event
            .conversation
            .and_then(|conversation| frames::conversation(conversation).ok())
            .map(|conversation| Content::ConversationOpened(Box::new(conversation))),
        Some(Happened::KeyRotated(event)) => {
            frames::key_record(&event).ok().map(|record| Content::PeerKeyChanged(Box::new(record)))
        }
        None => None,
    };
    (delivery.position, delivery.at, content.unwrap_or(Content::Unknown))
}

fn going_away(going: &DmGoingAway) -> Over {
    let not_before = Duration::from_millis(going.reconnect_after_ms);
    Over::Lost { reason: Lost::GoingAway, not_before: Some(not_before) }
}

fn refusal(frame: DmProblem) -> Over {
    Over::from_problem(Problem {
        kind: frame.r#type,
        title: frame.title,
        status: u16::try_from(frame.status).unwrap_or(0),
        detail: frame.detail,
        field: Some(frame.field).filter(|field| !field.is_empty()),
        retry_after: frame.retry_after_ms.map(Duration::from_millis),
    })
}
