//! [`Server`]: a WebSocket server whose frames a test sends and receives.

use std::sync::{Arc, Mutex};

use dm_client::{Client, Content, Event, Message};
use dm_proto::dm_delivery::Event as Happened;
use dm_proto::dm_server_frame::Frame;
use dm_proto::envelope::Payload;
use dm_proto::prost::Message as _;
use dm_proto::{
    DmAcknowledged, DmCaughtUp, DmConversationCreatedEvent, DmDelivery, DmMessageEvent, DmWelcome,
    EncryptedDmMessage, Envelope, dm_client_frame as client,
};
use futures_util::{SinkExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message as Ws;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

use crate::transport::messages::{ana, ben};

/// The server that the client connects to.
pub(crate) struct Server {
    listener: TcpListener,
}

/// The server's side of one connection.
pub(crate) struct ServerSocket {
    socket: WebSocketStream<TcpStream>,
    /// The path with the query, and the authorization header, of the handshake.
    pub(crate) request: (String, String),
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.listener.local_addr().unwrap())
    }

    pub(crate) async fn accept_stream(&self) -> TcpStream {
        self.listener.accept().await.unwrap().0
    }

    pub(crate) async fn accept(&self) -> ServerSocket {
        let request = Arc::new(Mutex::new((String::new(), String::new())));
        let noted = Arc::clone(&request);
        #[expect(clippy::result_large_err, reason = "the callback's type is the library's")]
        let note = move |handshake: &Request, response: Response| {
            let authorization = handshake.headers().get("authorization").map(|value| value.to_str().unwrap());
            *noted.lock().unwrap() =
                (handshake.uri().to_string(), authorization.unwrap_or_default().to_owned());
            Ok(response)
        };
        let socket = accept_hdr_async(self.accept_stream().await, note).await.unwrap();
        let request = request.lock().unwrap().clone();
        ServerSocket { socket, request }
    }

    /// Accepts a connection, and answers its hello with a welcome that has this cursor.
    pub(crate) async fn welcome(&self, cursor: u64) -> ServerSocket {
        let mut socket = self.accept().await;
        let (request, frame) = socket.receive().await;
        assert!(matches!(frame, client::Frame::Hello(_)), "{frame:?}");
        let welcome = DmWelcome { cursor, device: "laptop".to_owned(), window: 256, max_payload: 65_536 };
        socket.send(&request, Frame::Welcome(welcome)).await;
        socket
    }
}

impl ServerSocket {
    pub(crate) async fn send(&mut self, request: &str, frame: Frame) {
        self.raw(Ws::Binary(Envelope::server(request, frame).encode_to_vec().into())).await;
    }

    pub(crate) async fn raw(&mut self, message: Ws) {
        self.socket.send(message).await.unwrap();
    }

    /// Writes bytes without the WebSocket's framing.
    pub(crate) async fn raw_bytes(&mut self, bytes: &[u8]) {
        self.socket.get_mut().write_all(bytes).await.unwrap();
    }

    pub(crate) async fn deliver(&mut self, position: u64, message: EncryptedDmMessage) {
        let event = Happened::Message(DmMessageEvent { message: Some(message) });
        self.send("", Frame::Delivery(DmDelivery { position, at: 7, event: Some(event) })).await;
    }

    /// Sends a delivery whose event is malformed.
    pub(crate) async fn deliver_malformed(&mut self, position: u64) {
        let event = Happened::ConversationCreated(DmConversationCreatedEvent::default());
        self.send("", Frame::Delivery(DmDelivery { position, at: 7, event: Some(event) })).await;
    }

    pub(crate) async fn caught_up(&mut self, position: u64) {
        self.send("", Frame::CaughtUp(DmCaughtUp { position })).await;
    }

    /// The request id and the content of the client's next frame.
    pub(crate) async fn receive(&mut self) -> (String, client::Frame) {
        loop {
            if let Ws::Binary(bytes) = self.socket.next().await.unwrap().unwrap() {
                let envelope = Envelope::decode(bytes).unwrap();
                let Some(Payload::DmClientFrame(frame)) = envelope.payload else { panic!("{envelope:?}") };
                return (envelope.request_id, frame.frame.unwrap());
            }
        }
    }

    /// Receives the next acknowledgement and answers it. Returns the number that it names.
    pub(crate) async fn acknowledged(&mut self) -> u64 {
        let (request, frame) = self.receive().await;
        let client::Frame::Ack(ack) = frame else { panic!("{frame:?}") };
        let answer = DmAcknowledged { up_to: ack.up_to, acknowledged: 1, unknown: 0 };
        self.send(&request, Frame::Acknowledged(answer)).await;
        ack.up_to
    }

    /// Receives and answers acknowledgements, until one of them names this position or a later one.
    pub(crate) async fn acknowledged_up_to(&mut self, position: u64) {
        while self.acknowledged().await < position {}
    }

    /// The next WebSocket message of any kind; `None` when there is no more.
    pub(crate) async fn next(&mut self) -> Option<Ws> {
        self.socket.next().await?.ok()
    }

    pub(crate) async fn close(mut self, code: u16) {
        let frame = CloseFrame { code: CloseCode::from(code), reason: "because".into() };
        self.socket.close(Some(frame)).await.unwrap();
        while self.next().await.is_some() {}
    }
}

/// The message that a client delivers after it has received `frame`.
pub(crate) async fn received(frame: EncryptedDmMessage) -> Message {
    let server = Server::start().await;
    let client = Client::builder(server.base()).build().unwrap();
    let mut connection = client.connect(dm_client::ConnectionConfig::default());
    let mut socket = server.welcome(0).await;
    socket.deliver(1, frame).await;
    let Some(Event::Delivery(delivery)) = connection.next().await else { panic!("no delivery") };
    let (Content::Message(message), _) = delivery.into_parts() else { panic!("no message") };
    *message
}

/// A message from Ana to Ben with the text `hello`.
pub(crate) fn hello(sequence: u64) -> EncryptedDmMessage {
    crate::transport::messages::frame(&ana(), &ben(), dm_client::Suite::One, sequence, "hello")
}
