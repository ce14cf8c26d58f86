//! [`Attempt`]: one WebSocket, from the handshake to its end.

use std::sync::Arc;
use std::time::Duration;

use dm_proto::dm_client_frame as client;
use dm_proto::dm_delivery::Event as DeliveredEvent;
use dm_proto::dm_server_frame::Frame;
use dm_proto::envelope::Payload;
use dm_proto::{DmAck, DmDelivery, DmGap, DmGoingAway, DmHello, DmProblem, Envelope, PROTOCOL_VERSION};

use super::config::DeviceStart;
use super::disconnect::Disconnect;
use super::driver::{Driver, wait_for_close};
use super::event::{Content, Delivery, Event, Receipt};
use super::socket::{Incoming, Socket};
use super::state::{ConnectionState, End, Lost};
use crate::error::Problem;
use crate::numbers::InboxSeq;
use crate::time::{Elapsed, Sleep, Timestamp, with_timeout};
use crate::wire::frames;

/// The request ids of the two requests that this client sends. An answer repeats the id.
const HELLO: &str = "hello";
const ACK: &str = "ack";

/// The state of one WebSocket. The numbers of the deliveries are needed after the WebSocket ends,
/// so they are in the [`Driver`].
pub(super) struct Attempt<'a> {
    driver: &'a mut Driver,
    /// The server's cursor for the device: the number up to which every entry is acknowledged.
    acknowledged: InboxSeq,
    /// Whether the client waits for the answer to an acknowledgement. The client sends the next
    /// acknowledgement only after this answer, so that acknowledgements do not pile up while the
    /// server makes one durable.
    is_acknowledging: bool,
    /// See [`was_served`](Self::was_served).
    was_served: bool,
}

/// The state of the check that the server sends something.
enum KeepAlive {
    /// The client sends a ping if the server sends nothing before this wait ends.
    Idle(Sleep),
    /// The client has sent a ping. If the server sends nothing before this wait ends, the WebSocket
    /// is lost.
    Pinged(Sleep),
}

impl<'a> Attempt<'a> {
    pub(super) fn new(driver: &'a mut Driver) -> Self {
        Self { driver, acknowledged: InboxSeq::ZERO, is_acknowledging: false, was_served: false }
    }

    /// Whether the server delivered the whole backlog or answered an acknowledgement. A server that
    /// accepts a WebSocket and then does neither counts as a failure, so that the waits between
    /// attempts grow.
    pub(super) fn was_served(&self) -> bool {
        self.was_served
    }

    /// Connects, and then handles frames until the WebSocket is lost or the connection ends.
    /// Returns the reason.
    pub(super) async fn run(&mut self) -> Disconnect {
        let mut closing = self.driver.closing.clone();
        let mut socket = tokio::select! {
            socket = self.connect() => match socket {
                Ok(socket) => socket,
                Err(disconnect) => return disconnect,
            },
            () = wait_for_close(&mut closing) => return Disconnect::Ended(End::Closed),
        };
        match self.run_until_closed(&mut socket).await {
            Ok(()) => {
                self.close(&mut socket).await;
                Disconnect::Ended(End::Closed)
            }
            Err(disconnect) => disconnect,
        }
    }

    /// Connects, sends the hello and waits for the server's welcome.
    async fn connect(&mut self) -> Result<Socket, Disconnect> {
        let (clock, limit) = (Arc::clone(&self.driver.clock), self.driver.config.timeout);
        let handshake = async {
            let mut socket = Socket::open(&self.driver.http, self.driver.config.max_frame).await?;
            let hello = DmHello {
                device: self.driver.http.device().map(ToString::to_string).unwrap_or_default(),
                protocol: PROTOCOL_VERSION,
                capabilities: Vec::new(),
                start_now: self.driver.config.start == DeviceStart::Now,
            };
            socket.send(&Envelope::client(HELLO, client::Frame::Hello(hello))).await?;
            loop {
                match server_frame(socket.receive().await?) {
                    Some((_, Frame::Welcome(welcome))) => return Ok((socket, welcome.cursor)),
                    Some((_, Frame::Problem(problem))) => return Err(refusal(problem)),
                    Some((_, Frame::GoingAway(going))) => return Err(going_away(&going)),
                    _ => {}
                }
            }
        };
        let (socket, cursor) = match with_timeout(&*clock, limit, Box::pin(handshake)).await {
            Ok(connected) => connected?,
            Err(Elapsed) => return Err(Lost::Timeout.into()),
        };
        let cursor = InboxSeq::new(cursor);
        self.driver.acks.resume_after(cursor);
        self.set_acknowledged(cursor);
        Ok(socket)
    }

    /// Handles the server's frames, acknowledges the deliveries that the caller has handled, and
    /// pings a silent server. Returns `Ok` when the caller closes the connection.
    async fn run_until_closed(&mut self, socket: &mut Socket) -> Result<(), Disconnect> {
        let mut closing = self.driver.closing.clone();
        let acks = Arc::clone(&self.driver.acks);
        let (ping_interval, timeout) = (self.driver.config.ping_interval, self.driver.config.timeout);
        let mut keep_alive = KeepAlive::Idle(self.driver.clock.sleep(ping_interval));
        let mut has_received = false;
        // The caller may have handled deliveries before this WebSocket was open.
        self.acknowledge(socket).await?;
        loop {
            let timer = match &mut keep_alive {
                KeepAlive::Idle(timer) | KeepAlive::Pinged(timer) => timer,
            };
            tokio::select! {
                () = wait_for_close(&mut closing) => return Ok(()),
                incoming = socket.receive() => {
                    has_received = true;
                    if let Some((request, frame)) = server_frame(incoming?) {
                        tokio::select! {
                            handled = self.handle(&request, frame) => handled?,
                            () = wait_for_close(&mut closing) => return Ok(()),
                        }
                        self.acknowledge(socket).await?;
                    }
                }
                () = acks.wait_for_handled() => self.acknowledge(socket).await?,
                () = timer => {
                    keep_alive = match keep_alive {
                        KeepAlive::Pinged(_) if !has_received => return Err(Lost::Timeout.into()),
                        KeepAlive::Idle(_) if !has_received => {
                            self.write(socket.ping()).await?;
                            KeepAlive::Pinged(self.driver.clock.sleep(timeout))
                        }
                        _ => KeepAlive::Idle(self.driver.clock.sleep(ping_interval)),
                    };
                    has_received = false;
                }
            }
        }
    }

    /// Sends the last acknowledgement and waits for its answer, and then closes the WebSocket. If
    /// the acknowledgement fails, it is not repeated. The server then delivers its entries again
    /// after the next start of the program.
    async fn close(&mut self, socket: &mut Socket) {
        let (clock, limit) = (Arc::clone(&self.driver.clock), self.driver.config.timeout);
        let last_acknowledgement = async {
            self.acknowledge(socket).await?;
            while self.is_acknowledging {
                if let Some((request, frame)) = server_frame(socket.receive().await?)
                    && matches!(frame, Frame::Acknowledged(_) | Frame::Problem(_) | Frame::GoingAway(_))
                {
                    self.handle(&request, frame).await?;
                    self.acknowledge(socket).await?;
                }
            }
            Ok::<(), Disconnect>(())
        };
        let acknowledged = with_timeout(&*clock, limit, Box::pin(last_acknowledgement)).await;
        if matches!(acknowledged, Ok(Ok(()))) {
            // If the server sends no close frame within the limit, the socket is dropped.
            let _closed = with_timeout(&*clock, limit, socket.close()).await;
        }
    }

    /// Handles a frame from the server. `request` is the id of the request that the frame answers,
    /// or empty. Fails if the WebSocket has to end.
    async fn handle(&mut self, request: &str, frame: Frame) -> Result<(), Disconnect> {
        match frame {
            Frame::Delivery(delivery) => {
                let (seq, at) = (InboxSeq::new(delivery.position), Timestamp::from_millis(delivery.at));
                self.deliver(seq, at, content(delivery)).await;
            }
            Frame::Gap(DmGap { from, to, .. }) => {
                let content = Content::Gap { from: InboxSeq::new(from) };
                self.deliver(InboxSeq::new(to), Timestamp::default(), content).await;
            }
            Frame::CaughtUp(caught_up) => {
                self.was_served = true;
                self.emit(Event::CaughtUp { seq: InboxSeq::new(caught_up.position) }).await;
            }
            Frame::Acknowledged(acknowledged) => {
                self.was_served = true;
                self.is_acknowledging = false;
                self.set_acknowledged(InboxSeq::new(acknowledged.up_to));
            }
            // After the handshake, only an acknowledgement can be refused. A problem without a
            // request id is about the connection. Other problems answer requests of the host's own
            // protocol.
            Frame::Problem(problem) if request == ACK || request.is_empty() => return Err(refusal(problem)),
            Frame::GoingAway(going) => return Err(going_away(&going)),
            Frame::Welcome(_) | Frame::Problem(_) | Frame::Sent(_) | Frame::Pong(_) => {}
        }
        Ok(())
    }

    /// Passes a delivery to the caller, unless it is repeated.
    async fn deliver(&mut self, seq: InboxSeq, at: Timestamp, content: Content) {
        if !self.driver.acks.add(seq) {
            return;
        }
        let receipt = Receipt { seq, acks: Arc::clone(&self.driver.acks) };
        if let Content::Message(message) = &content
            && self.driver.recent_messages.put(message.id, ()).is_some()
        {
            // The message has two inbox entries, and the caller has received the first one. The
            // second one counts as handled. The first one stops the cursor until the caller has
            // handled it.
            return receipt.acknowledge();
        }
        self.emit(Event::Delivery(Box::new(Delivery { seq, at, content, receipt }))).await;
    }

    async fn emit(&self, event: Event) {
        // The send fails only if the caller has closed the receiver. `closing` then ends the task.
        let _sent = self.driver.events.send(event).await;
    }

    /// Acknowledges the deliveries that the caller has handled. Does nothing if all of them are
    /// acknowledged, or while another acknowledgement waits for its answer.
    async fn acknowledge(&mut self, socket: &mut Socket) -> Result<(), Disconnect> {
        let up_to = self.driver.acks.handled_up_to();
        if self.is_acknowledging || up_to <= self.acknowledged {
            return Ok(());
        }
        let ack = DmAck { up_to: up_to.get(), message_ids: Vec::new() };
        self.write(socket.send(&Envelope::client(ACK, client::Frame::Ack(ack)))).await?;
        self.is_acknowledging = true;
        Ok(())
    }

    /// Runs a write, for at most the `timeout` of the configuration.
    async fn write(&self, work: impl Future<Output = Result<(), Disconnect>>) -> Result<(), Disconnect> {
        let limit = self.driver.config.timeout;
        with_timeout(&*self.driver.clock, limit, work).await.unwrap_or(Err(Lost::Timeout.into()))
    }

    /// Records the server's cursor, which `up_to` never lowers, and reports it to the caller.
    fn set_acknowledged(&mut self, up_to: InboxSeq) {
        self.acknowledged = self.acknowledged.max(up_to);
        self.driver.state.send_replace(ConnectionState::Online { acknowledged: self.acknowledged });
    }
}

/// The request id and the content of a server frame; `None` for any other message.
fn server_frame(incoming: Incoming) -> Option<(String, Frame)> {
    let Incoming::Envelope(envelope) = incoming else { return None };
    match envelope.payload? {
        Payload::DmServerFrame(server) => Some((envelope.request_id, server.frame?)),
        _ => None,
    }
}

/// The content of a delivery; [`Content::Unknown`] for an event that is malformed or that this
/// version of the library does not know.
fn content(delivery: DmDelivery) -> Content {
    let content = match delivery.event {
        Some(DeliveredEvent::Message(event)) => event
            .message
            .and_then(|message| frames::message(message).ok())
            .map(|message| Content::Message(Box::new(message))),
        Some(DeliveredEvent::ConversationCreated(event)) => event
            .conversation
            .and_then(|conversation| frames::conversation(conversation).ok())
            .map(|conversation| Content::ConversationOpened(Box::new(conversation))),
        Some(DeliveredEvent::KeyRotated(event)) => {
            frames::key_record(&event).ok().map(|record| Content::PeerKeyChanged(Box::new(record)))
        }
        None => None,
    };
    content.unwrap_or(Content::Unknown)
}

fn going_away(going: &DmGoingAway) -> Disconnect {
    let not_before = Duration::from_millis(going.reconnect_after_ms);
    Disconnect::Lost { reason: Lost::GoingAway, not_before: Some(not_before) }
}

fn refusal(frame: DmProblem) -> Disconnect {
    Disconnect::from_problem(Problem {
        kind: frame.r#type,
        title: frame.title,
        status: u16::try_from(frame.status).unwrap_or(0),
        detail: frame.detail,
        field: Some(frame.field).filter(|field| !field.is_empty()),
        retry_after: frame.retry_after_ms.map(Duration::from_millis),
    })
}
