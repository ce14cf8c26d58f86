//! A WebSocket server that the test plays itself.

use std::sync::{Arc, Mutex};

use dm_client::{Client, Content, Event, Message};
use dm_proto::{
    DmAcknowledged, DmCaughtUp, DmConversationCreatedEvent, DmDelivery, DmMessageEvent, DmWelcome,
    EncryptedDmMessage, Envelope, dm_client_frame as client, dm_delivery::Event as Happened,
    dm_server_frame::Frame, envelope::Payload, prost::Message as _,
};
use futures_util::{SinkExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message as Ws,
        handshake::server::{Request, Response},
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

use crate::transport::people::{ana, ben};

/// Where the client connects to.
pub(crate) struct Server {
    listener: TcpListener,
}

/// The server's end of one connection.
pub(crate) struct Peer {
    socket: WebSocketStream<TcpStream>,
    /// Path and query, and the authorization header, of the handshake.
    pub(crate) asked: (String, String),
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

    pub(crate) async fn accept(&self) -> Peer {
        let asked = Arc::new(Mutex::new((String::new(), String::new())));
        let noted = Arc::clone(&asked);
        #[expect(clippy::result_large_err, reason = "the callback's type is the library's")]
        let note = move |request: &Request, response: Response| {
            let authorization = request.headers().get("authorization").map(|value| value.to_str().unwrap());
            *noted.lock().unwrap() =
                (request.uri().to_string(), authorization.unwrap_or_default().to_owned());
            Ok(response)
        };
        let socket = accept_hdr_async(self.accept_stream().await, note).await.unwrap();
        let asked = asked.lock().unwrap().clone();
        Peer { socket, asked }
    }

    /// Accepts, and welcomes a device whose cursor stands here.
    pub(crate) async fn welcome(&self, cursor: u64) -> Peer {
        let mut peer = self.accept().await;
        let (request, frame) = peer.hear().await;
        assert!(matches!(frame, client::Frame::Hello(_)), "{frame:?}");
        let welcome = DmWelcome { cursor, device: "laptop".to_owned(), window: 256, max_payload: 65_536 };
        peer.say(&request, Frame::Welcome(welcome)).await;
        peer
    }
}

impl Peer {
    pub(crate) async fn say(&mut self, request: &str, frame: Frame) {
        self.raw(Ws::Binary(Envelope::server(request, frame).encode_to_vec().into())).await;
    }

    pub(crate) async fn raw(&mut self, message: Ws) {
        self.socket.send(message).await.unwrap();
    }

    /// Writes bytes past the WebSocket's framing.
    pub(crate) async fn raw_bytes(&mut self, bytes: &[u8]) {
        self.socket.get_mut().write_all(bytes).await.unwrap();
    }

    pub(crate) async fn deliver(&mut self, position: u64, message: EncryptedDmMessage) {
        let event = Happened::Message(DmMessageEvent { message: Some(message) });
        self.say("", Frame::Delivery(DmDelivery { position, at: 7, event: Some(event) })).await;
    }

    /// A delivery that the client cannot read.
    pub(crate) async fn deliver_nonsense(&mut self, position: u64) {
        let event = Happened::ConversationCreated(DmConversationCreatedEvent::default());
        self.say("", Frame::Delivery(DmDelivery { position, at: 7, event: Some(event) })).await;
    }

    pub(crate) async fn caught_up(&mut self, position: u64) {
        self.say("", Frame::CaughtUp(DmCaughtUp { position })).await;
    }

    /// The next frame of the client.
    pub(crate) async fn hear(&mut self) -> (String, client::Frame) {
        loop {
            if let Ws::Binary(bytes) = self.socket.next().await.unwrap().unwrap() {
                let envelope = Envelope::decode(bytes).unwrap();
                let Some(Payload::DmClientFrame(frame)) = envelope.payload else { panic!("{envelope:?}") };
                return (envelope.request_id, frame.frame.unwrap());
            }
        }
    }

    /// The next acknowledgement, which is answered.
    pub(crate) async fn acknowledged(&mut self) -> u64 {
        let (request, frame) = self.hear().await;
        let client::Frame::Ack(ack) = frame else { panic!("{frame:?}") };
        let answer = DmAcknowledged { up_to: ack.up_to, acknowledged: 1, unknown: 0 };
        self.say(&request, Frame::Acknowledged(answer)).await;
        ack.up_to
    }

    /// Acknowledgements until one reaches this position.
    pub(crate) async fn acknowledged_up_to(&mut self, position: u64) {
        while self.acknowledged().await < position {}
    }

    /// What comes in on the WebSocket, of any kind.
    pub(crate) async fn next(&mut self) -> Option<Ws> {
        self.socket.next().await?.ok()
    }

    pub(crate) async fn close(mut self, code: u16) {
        let frame = CloseFrame { code: CloseCode::from(code), reason: "because".into() };
        self.socket.close(Some(frame)).await.unwrap();
        while self.next().await.is_some() {}
    }
}

/// A frame as a client hands it out.
pub(crate) async fn received(frame: EncryptedDmMessage) -> Message {
    let server = Server::start().await;
    let client = Client::builder(server.base()).build().unwrap();
    let mut connection = client.connect(dm_client::ConnectionConfig::default());
    let mut peer = server.welcome(0).await;
    peer.deliver(1, frame).await;
    let Some(Event::Delivery(delivery)) = connection.next().await else { panic!("no delivery") };
    let (Content::Message(message), _) = delivery.into_parts() else { panic!("no message") };
    *message
}

/// A message from Ana to Ben.
pub(crate) fn hello(sequence: u64) -> EncryptedDmMessage {
    crate::transport::people::frame(&ana(), &ben(), dm_client::Suite::One, sequence, "hello")
}
