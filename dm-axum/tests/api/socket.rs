//! A WebSocket client for tests.

use dm_proto::prost::Message as _;
use dm_proto::{
    DmAck, DmAcknowledged, DmClientFrame, DmConversationListRequest, DmConversationListResponse, DmDelivery,
    DmHello, DmPing, DmProblem, DmSend, DmSent, DmServerFrame, DmWelcome, Envelope, dm_client_frame,
    dm_delivery::Event, dm_server_frame, envelope::Payload,
};
use futures_util::{SinkExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::world::{World, user};

pub struct Socket(pub WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// Connects with headers and a query. The error is the HTTP status of the refusal.
    pub async fn try_open(world: &World, query: &str, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let mut request = format!("ws://{}/api/dm/ws{query}", world.address).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match connect_async(request).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// Connects as the *n*-th user, and waits until the server has answered a first request.
    pub async fn open(world: &World, n: u64) -> Self {
        Self::open_on(world, n, "default").await
    }

    /// Connects like [`open`](Self::open), on a device that the host names.
    pub async fn open_on(world: &World, n: u64, device: &str) -> Self {
        let headers = [("x-user", &*user(n).to_string()), ("x-device", device)];
        let mut socket = Self::try_open(world, "", &headers).await.unwrap();
        socket.list("opened").await;
        socket
    }

    /// Connects as the *n*-th user, and sends a hello for a device.
    pub async fn hello(world: &World, n: u64, device: &str) -> (Self, DmWelcome) {
        let mut socket = Self::try_open(world, "", &[("x-user", &*user(n).to_string())]).await.unwrap();
        socket.send_hello("h", device).await;
        match socket.receive_server().await {
            (id, dm_server_frame::Frame::Welcome(welcome)) if id == "h" => (socket, welcome),
            other => panic!("{other:?}"),
        }
    }

    pub async fn send_hello(&mut self, request_id: &str, device: &str) {
        let hello = DmHello { device: device.to_owned(), protocol: 1, ..DmHello::default() };
        self.send_envelope(&Envelope::client(request_id, dm_client_frame::Frame::Hello(hello))).await;
    }

    pub async fn send_envelope(&mut self, envelope: &Envelope) {
        self.write(envelope.encode_to_vec()).await;
    }

    pub async fn write(&mut self, frame: impl Into<Bytes>) {
        self.0.send(Message::Binary(frame.into())).await.unwrap();
    }

    pub async fn send(&mut self, request_id: &str, conversation: &str, payload: &str) {
        let send = send(conversation, payload);
        self.send_envelope(&Envelope::client(request_id, dm_client_frame::Frame::Send(send))).await;
    }

    pub async fn ack(&mut self, request_id: &str, up_to: u64, message_ids: &[&str]) {
        let message_ids = message_ids.iter().map(|id| (*id).to_owned()).collect();
        let ack = DmAck { up_to, message_ids };
        self.send_envelope(&Envelope::client(request_id, dm_client_frame::Frame::Ack(ack))).await;
    }

    /// Receives the next envelope. Pings before it are answered.
    pub async fn receive(&mut self) -> Envelope {
        loop {
            match self.0.next().await.unwrap().unwrap() {
                Message::Binary(frame) => return Envelope::decode(frame).unwrap(),
                Message::Ping(_) => self.0.flush().await.unwrap(),
                Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Receives a server's frame. Returns its request id and content.
    pub async fn receive_server(&mut self) -> (String, dm_server_frame::Frame) {
        let envelope = self.receive().await;
        match envelope.payload {
            Some(Payload::DmServerFrame(DmServerFrame { frame: Some(frame) })) => {
                (envelope.request_id, frame)
            }
            other => panic!("{other:?}"),
        }
    }

    pub async fn receive_delivery(&mut self) -> DmDelivery {
        match self.receive_server().await {
            (id, dm_server_frame::Frame::Delivery(delivery)) if id.is_empty() => delivery,
            other => panic!("{other:?}"),
        }
    }

    /// Receives a message. Returns its position and payload.
    pub async fn receive_text(&mut self) -> (u64, String) {
        let DmDelivery { position, event, .. } = self.receive_delivery().await;
        let Some(Event::Message(event)) = event else { panic!("{event:?}") };
        let payload = event.message.unwrap().encrypted_payload;
        (position, String::from_utf8(payload.to_vec()).unwrap())
    }

    pub async fn receive_caught_up(&mut self) -> u64 {
        match self.receive_server().await {
            (_, dm_server_frame::Frame::CaughtUp(caught_up)) => caught_up.position,
            other => panic!("{other:?}"),
        }
    }

    pub async fn receive_sent(&mut self, request_id: &str) -> DmSent {
        match self.receive_server().await {
            (id, dm_server_frame::Frame::Sent(sent)) if id == request_id => sent,
            other => panic!("{other:?}"),
        }
    }

    pub async fn receive_acknowledged(&mut self, request_id: &str) -> DmAcknowledged {
        match self.receive_server().await {
            (id, dm_server_frame::Frame::Acknowledged(acknowledged)) if id == request_id => acknowledged,
            other => panic!("{other:?}"),
        }
    }

    /// Receives the problem with which a request is refused.
    pub async fn receive_problem(&mut self, request_id: &str) -> DmProblem {
        match self.receive_server().await {
            (id, dm_server_frame::Frame::Problem(problem)) if id == request_id => problem,
            other => panic!("{other:?}"),
        }
    }

    /// Checks that the server has no frame to send: sends a ping frame, and checks that the next
    /// frame is its answer.
    pub async fn receive_nothing_more(&mut self) {
        self.send_envelope(&Envelope::client("p", dm_client_frame::Frame::Ping(DmPing { nonce: 7 }))).await;
        match self.receive_server().await {
            (id, dm_server_frame::Frame::Pong(pong)) if id == "p" => assert_eq!(pong.nonce, 7),
            other => panic!("{other:?}"),
        }
    }

    /// Writes bytes directly to the stream. Ignores errors: the server may have closed the stream.
    pub async fn write_raw(&mut self, bytes: &[u8]) {
        let _gone = self.0.get_mut().write_all(bytes).await;
    }

    /// Receives a ping, and answers it if `answer` is true.
    pub async fn receive_ping(&mut self, answer: bool) {
        match self.0.next().await.unwrap().unwrap() {
            Message::Ping(_) if answer => self.0.flush().await.unwrap(),
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }

    /// Waits for the closing frame, and drops the frames before it. Returns its code and reason.
    pub async fn receive_close(&mut self) -> (u16, String) {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Close(Some(frame)))) => {
                    let closed = (frame.code.into(), frame.reason.to_string());
                    // This sends the answer to the closing frame.
                    while let Some(Ok(_)) = self.0.next().await {}
                    return closed;
                }
                Some(Ok(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Requests the conversations and receives the answer.
    pub async fn list(&mut self, request_id: &str) -> DmConversationListResponse {
        let request = Payload::DmConversationListRequest(DmConversationListRequest {});
        self.send_envelope(&Envelope::new(request_id, request)).await;
        let envelope = self.receive().await;
        assert_eq!(envelope.request_id, request_id);
        match envelope.payload {
            Some(Payload::DmConversationListResponse(list)) => list,
            other => panic!("{other:?}"),
        }
    }

    pub async fn close(mut self) {
        self.0.close(None).await.unwrap();
        while let Some(Ok(_)) = self.0.next().await {}
    }
}

pub fn send(conversation: &str, payload: &str) -> DmSend {
    DmSend {
        conversation_id: conversation.to_owned(),
        encrypted_payload: Bytes::copy_from_slice(payload.as_bytes()),
        nonce: Bytes::from_static(&[7; 24]),
        timestamp: 5,
        ..DmSend::default()
    }
}

pub fn client_frame(frame: Option<dm_client_frame::Frame>) -> Envelope {
    Envelope::new("r", Payload::DmClientFrame(DmClientFrame { frame }))
}

/// Waits until a condition is true. The other tasks of the test run while it waits.
pub async fn until(mut holds: impl AsyncFnMut() -> bool) {
    while !holds().await {
        tokio::task::yield_now().await;
    }
}
