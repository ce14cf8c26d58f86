//! The server and the clients of these tests. Sockets have small buffers, so that long answers do
//! not fit into them.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use curve25519_dalek::{EdwardsPoint, Scalar};
use dm_core::time::{Clock as _, ManualClock};
use dm_core::{Ciphertext, MemoryStore, Principal, SendMessage, Service, Timestamp, UserId};
use dm_proto::{DmHistoryRequest, Envelope, envelope::Payload, prost::Message as _};
use futures_util::SinkExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::Options;
use crate::api::Api;
use crate::router::routes;

pub(super) const ANA: &str = "5866666666666666666666666666666666666666666666666666666666666666";
pub(super) const BO: &str = "c9a3f86aae465f0e56513864510f3997561fa2c9e85ea21dc2292309f3cd6022";
/// Number of messages that each of Ana and Bo has sent: 4 MiB of payloads.
pub(super) const MESSAGES: usize = 64;
/// Maximum number of requests of one WebSocket in progress, by default.
pub(super) const IN_FLIGHT: usize = 32;
pub(super) const SECOND: Duration = Duration::from_secs(1);

/// A server with a manual clock, on which Ana and Bo each have 4 MiB of pending messages.
pub(super) struct World {
    pub(super) api: Arc<Api>,
    pub(super) clock: ManualClock,
    address: SocketAddr,
    /// The number of requests that reached the server.
    pub(super) request_count: Arc<AtomicUsize>,
    /// The id of Ana's and Bo's conversation.
    conversation: String,
}

impl World {
    pub(super) async fn new(options: Options) -> Self {
        let clock = ManualClock::new(Timestamp::from_millis(1_000_000));
        let service = Service::builder(MemoryStore::new()).clock(clock.clone()).start().unwrap();
        let (ana, bo): (UserId, UserId) = (ANA.parse().unwrap(), BO.parse().unwrap());
        let opened = service.open_conversation(&ana.into(), bo).await.unwrap();
        for from in [ana, bo] {
            for _ in 0..MESSAGES {
                let payload = Ciphertext::new(vec![7; 64 * 1024].into(), &[0; 24], None, None).unwrap();
                let message = SendMessage::new(opened.conversation.id, payload, clock.now());
                service.send(&from.into(), message).await.unwrap();
            }
        }
        let api = Arc::new(Api::new(service, options));
        let request_count = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&request_count);
        let authenticate = move |mut request: Request, next: Next| {
            counter.fetch_add(1, Ordering::Relaxed);
            let user = request.headers()["x-user"].to_str().unwrap().parse::<UserId>().unwrap();
            request.extensions_mut().insert(Principal::from(user));
            next.run(request)
        };
        let app: Router = routes(Arc::clone(&api)).layer(middleware::from_fn(authenticate));
        let listener = listen();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { api, clock, address, request_count, conversation: opened.conversation.id.to_string() }
    }

    /// Creates the `n`-th user, and sends four messages of Bo to this user, which fill a page.
    /// Returns the ids of the user and of the conversation.
    pub(super) async fn add_user(&self, n: u64) -> (String, String) {
        let key = EdwardsPoint::mul_base(&Scalar::from(n)).compress().to_bytes();
        let (user, bo) = (UserId::from_stored(key), BO.parse::<UserId>().unwrap());
        let service = &self.api.service;
        let conversation = service.open_conversation(&bo.into(), user).await.unwrap().conversation.id;
        for _ in 0..4 {
            let payload = Ciphertext::new(vec![7; 64 * 1024].into(), &[0; 24], None, None).unwrap();
            let message = SendMessage::new(conversation, payload, self.clock.now());
            service.send(&bo.into(), message).await.unwrap();
        }
        (user.to_string(), conversation.to_string())
    }

    /// Opens a connection with the smallest receive buffer that the system allows.
    async fn connect(&self) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        socket.connect(self.address).await.unwrap()
    }

    /// Opens a WebSocket on which a user requests the newest page of history `times` times.
    pub(super) async fn request_history(&self, user: &str, times: usize) -> WebSocketStream<TcpStream> {
        self.request_history_of(user, &self.conversation, times).await
    }

    pub(super) async fn request_history_of(
        &self,
        user: &str,
        conversation: &str,
        times: usize,
    ) -> WebSocketStream<TcpStream> {
        let mut request = format!("ws://{}/api/dm/ws", self.address).into_client_request().unwrap();
        request.headers_mut().insert("x-user", user.parse().unwrap());
        let (mut socket, _) = tokio_tungstenite::client_async(request, self.connect().await).await.unwrap();
        let history =
            DmHistoryRequest { conversation_id: conversation.to_owned(), before_sequence: 0, limit: 0 };
        let frame = Envelope::new("", Payload::DmHistoryRequest(history)).encode_to_vec();
        for _ in 0..times {
            socket.feed(Message::Binary(frame.clone().into())).await.unwrap();
        }
        socket.flush().await.unwrap();
        socket
    }

    /// Opens a connection on which a user requests all pending messages.
    pub(super) async fn request_pending(&self, user: &str) -> TcpStream {
        let mut stream = self.connect().await;
        let request =
            format!("GET /api/dm/offline HTTP/1.1\r\nhost: a\r\nx-user: {user}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    /// Waits until `done` returns true. Asserts while it waits that unread answers stay within the
    /// budget of one user.
    pub(super) async fn wait_until(&self, mut done: impl FnMut() -> bool) {
        while !done() {
            assert!(self.api.answers.unread_bytes() <= self.api.options.answer_bytes_per_user);
            tokio::task::yield_now().await;
        }
    }

    /// Waits for a task, and advances the clock while it waits.
    pub(super) async fn advance_until_done<T>(&self, task: JoinHandle<T>) -> T {
        while !task.is_finished() {
            self.clock.advance(SECOND);
            for _ in 0..1_000 {
                tokio::task::yield_now().await;
            }
        }
        task.await.unwrap()
    }
}

/// A listener whose connections have a small send buffer of a fixed size. Without the fixed size,
/// the system could enlarge the buffer until a whole answer fits, and the number of unread bytes
/// would be unpredictable.
fn listen() -> TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_send_buffer_size(16 * 1024).unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    socket.listen(1_024).unwrap()
}

pub(super) fn options() -> Options {
    Options { answer_bytes: 64 << 20, answer_bytes_per_user: 12 << 20, ..Options::default() }
}

/// Reads the answer until the connection ends, with or without an error.
pub(super) async fn read(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let _ended = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}
