//! Tests with clients that request long answers and do not read them.

use std::future::pending;
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
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::Options;
use crate::api::Api;
use crate::problem::Problem;
use crate::router::routes;

const ANA: &str = "5866666666666666666666666666666666666666666666666666666666666666";
const BO: &str = "c9a3f86aae465f0e56513864510f3997561fa2c9e85ea21dc2292309f3cd6022";
const SILENT: usize = 100;
const MESSAGES: usize = 64;
const SOCKETS: usize = 32;
/// Maximum number of requests of one WebSocket in progress, by default.
const IN_FLIGHT: usize = 32;
const SECOND: Duration = Duration::from_secs(1);
/// Longer than any test takes on its manual clock.
const FOREVER: Duration = Duration::from_secs(1_000_000_000);

/// A server with a manual clock, on which Ana and Bo each have 4 MiB of pending messages.
struct World {
    api: Arc<Api>,
    clock: ManualClock,
    address: SocketAddr,
    /// The number of requests that arrived.
    asked: Arc<AtomicUsize>,
    /// The id of Ana's and Bo's conversation.
    conversation: String,
}

impl World {
    async fn new(options: Options) -> Self {
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
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let authenticate = move |mut request: Request, next: Next| {
            counted.fetch_add(1, Ordering::Relaxed);
            let user = request.headers()["x-user"].to_str().unwrap().parse::<UserId>().unwrap();
            request.extensions_mut().insert(Principal::from(user));
            next.run(request)
        };
        let app: Router = routes(Arc::clone(&api)).layer(middleware::from_fn(authenticate));
        let listener = listen();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { api, clock, address, asked, conversation: opened.conversation.id.to_string() }
    }

    /// Creates the `n`-th user, with a conversation with Bo that fills a page. Returns the ids of
    /// the user and of the conversation.
    async fn another(&self, n: u64) -> (String, String) {
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
    async fn ask_for_history(&self, user: &str, times: usize) -> WebSocketStream<TcpStream> {
        self.ask_for_history_of(user, &self.conversation, times).await
    }

    async fn ask_for_history_of(
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
    async fn ask(&self, user: &str) -> TcpStream {
        let mut stream = self.connect().await;
        let request =
            format!("GET /api/dm/offline HTTP/1.1\r\nhost: a\r\nx-user: {user}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    /// Waits until `done` returns true. Asserts while it waits that unread answers stay within the
    /// budget of one user.
    async fn until(&self, mut done: impl FnMut() -> bool) {
        while !done() {
            assert!(self.api.answers.unread_bytes() <= self.api.options.answer_bytes_per_user);
            tokio::task::yield_now().await;
        }
    }

    /// Waits for a task, and advances the clock while it waits.
    async fn passing_time_until<T>(&self, task: JoinHandle<T>) -> T {
        while !task.is_finished() {
            self.clock.advance(SECOND);
            for _ in 0..1_000 {
                tokio::task::yield_now().await;
            }
        }
        task.await.unwrap()
    }
}

/// A listener whose connections have a small, fixed send buffer. A buffer without a fixed size
/// could grow to the size of a whole answer, and the number of unread bytes would be unpredictable.
fn listen() -> TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_send_buffer_size(16 * 1024).unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    socket.listen(1_024).unwrap()
}

fn options() -> Options {
    Options { answer_bytes: 64 << 20, answer_bytes_per_user: 12 << 20, ..Options::default() }
}

/// Reads the answer until the connection ends, also with an error.
async fn read(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let _ended = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_unread_answers_take_no_more_than_the_budget_of_one_user() {
    let world = World::new(options()).await;
    let mut silent = Vec::new();
    for _ in 0..SILENT {
        silent.push(world.ask(ANA).await);
    }
    let (asked, answers) = (&world.asked, &world.api.answers);
    world.until(|| asked.load(Ordering::Relaxed) == SILENT && answers.unread_bytes() > 1 << 20).await;

    // Bo gets a whole answer, although none of Ana's answers was read.
    let answer = read(world.ask(BO).await).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{}", &answer[..200]);
    assert_eq!(answer.matches("encrypted_payload").count(), MESSAGES);
    assert!(world.api.answers.unread_bytes() > 1 << 20);

    // A waiting request is refused in time, or gets the permits of an answer that is dropped.
    let readers: Vec<_> = silent.into_iter().map(|stream| tokio::spawn(read(stream))).collect();
    let mut refused = 0;
    for reader in readers {
        let answer = world.passing_time_until(reader).await;
        if answer.starts_with("HTTP/1.1 429 ") {
            assert!(answer.contains("urn:dm:problem:too-many-answers"), "{answer}");
            assert!(answer.contains("retry-after: 10"), "{answer}");
            refused += 1;
        }
    }
    assert!(refused > 0);
    world.until(|| world.api.answers.unread_bytes() == 0).await;
    assert_eq!(read(world.ask(ANA).await).await.matches("encrypted_payload").count(), MESSAGES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_the_connections_returns_all_permits() {
    let world = World::new(options()).await;
    let mut silent = Vec::new();
    for _ in 0..SILENT {
        silent.push(world.ask(ANA).await);
    }
    world.until(|| world.api.answers.unread_bytes() > 1 << 20).await;
    drop(silent);
    world.until(|| world.api.answers.unread_bytes() == 0).await;
    // The clock does not advance, so this request gets the permits that were returned.
    assert_eq!(read(world.ask(ANA).await).await.matches("encrypted_payload").count(), MESSAGES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_pages_of_websockets_take_no_more_than_the_budget_of_one_user() {
    let world = World::new(options()).await;
    let (ana, answers) = (ANA.parse().unwrap(), &world.api.answers);
    let all = answers.free_bytes_of(ana);
    let mut silent = Vec::new();
    for _ in 0..SOCKETS {
        silent.push(world.ask_for_history(ANA, IN_FLIGHT).await);
    }
    // Too few bytes are free to build another page.
    let little = all / 4;
    world.until(|| answers.unread_bytes() > 1 << 20 && answers.free_bytes_of(ana) < little).await;

    // Bo is answered, on a socket and over REST.
    let mut bo = world.ask_for_history(BO, 1).await;
    let Message::Binary(frame) = bo.next().await.unwrap().unwrap() else { panic!("no frame") };
    let Some(Payload::DmHistoryResponse(page)) = Envelope::decode(frame).unwrap().payload else {
        panic!("no page")
    };
    assert!(!page.messages.is_empty());
    assert_eq!(read(world.ask(BO).await).await.matches("encrypted_payload").count(), MESSAGES);

    // Closing returns all permits; the clock did not advance.
    drop(silent);
    world.until(|| answers.unread_bytes() == 0 && answers.free_bytes_of(ana) == all).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_keeps_its_share_until_its_websocket_has_written_it() {
    let world = World::new(options()).await;
    let (ana, answers) = (ANA.parse().unwrap(), &world.api.answers);
    let all = answers.free_bytes_of(ana);
    let silent = world.ask_for_history(ANA, 1).await;
    // The first bytes have arrived. The rest does not fit into the buffers.
    silent.get_ref().readable().await.unwrap();
    assert_eq!(answers.unread_bytes(), 0, "the page is taken");
    let free = answers.free_bytes_of(ana);
    assert!(all - free > 128 * 1024, "{free} of {all} are free");
    drop(silent);
    world.until(|| answers.free_bytes_of(ana) == all).await;
}

#[tokio::test]
async fn two_answers_of_a_user_are_made_at_a_time_and_all_in_the_end() {
    let world = World::new(options()).await;
    let answers = &world.api.answers;
    let (begun, reads) = (AtomicUsize::new(0), Semaphore::new(0));
    let read = || async {
        begun.fetch_add(1, Ordering::Relaxed);
        reads.acquire().await.unwrap().forget();
        Ok(())
    };
    let mut ana: FuturesUnordered<_> =
        (0..8).map(|_| answers.build(ANA.parse().unwrap(), 1_024, read())).collect();
    assert!(ana.next().now_or_never().is_none());
    assert_eq!(begun.load(Ordering::Relaxed), 2, "the others wait before they read");
    // Bo's answer begins at once.
    let bo = answers.build(BO.parse().unwrap(), 1_024, read());
    assert!(bo.now_or_never().is_none());
    assert_eq!(begun.load(Ordering::Relaxed), 3);
    reads.add_permits(8);
    while let Some(made) = ana.next().await {
        assert!(made.is_ok());
    }
    assert_eq!(begun.load(Ordering::Relaxed), 9);
}

#[tokio::test]
async fn an_answer_that_waits_in_vain_is_refused_in_time_and_holds_no_shared_permits() {
    let world = World::new(options()).await;
    let (answers, clock, ana) = (&world.api.answers, &world.clock, ANA.parse().unwrap());
    let (all, cost) = (answers.free_bytes(), 64 * 1024);
    let stuck = || Box::pin(answers.build(ana, cost, pending::<Result<(), Problem>>()));
    let (mut first, mut second, mut third) = (stuck(), stuck(), stuck());
    assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
    assert!((&mut third).now_or_never().is_none());
    assert_eq!(answers.free_bytes(), all - 2 * cost, "the third only has permits of its user");
    clock.advance(12 * SECOND);
    assert!(third.await.is_err());
    // Nothing limits the time of the reads of the store in this test.
    assert!((&mut first).now_or_never().is_none());
    drop((first, second));
    assert!(answers.build(ana, cost, async { Ok(()) }).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_reads_is_answered_although_others_that_do_not_took_the_whole_budget() {
    let world = World::new(Options {
        answer_bytes: 16 << 20,
        patience: FOREVER,
        ping_interval: FOREVER,
        ..options()
    })
    .await;
    let mut silent = Vec::new();
    for n in 1_001..=1_006 {
        let (user, conversation) = world.another(n).await;
        for _ in 0..4 {
            silent.push(world.ask_for_history_of(&user, &conversation, IN_FLIGHT).await);
        }
    }
    // Wait until the sockets' buffers are full and the next request has to wait: fewer bytes are
    // free than a page takes while it is being built, at 10,000 checks in a row.
    let (answers, mut full) = (&world.api.answers, 0);
    while full < 10_000 {
        tokio::task::yield_now().await;
        full = if answers.free_bytes() < 1 << 20 && answers.unread_bytes() > 8 << 20 { full + 1 } else { 0 };
    }
    let frame = loop {
        let mut ana = world.ask_for_history(ANA, 1).await;
        let answer = world.passing_time_until(tokio::spawn(async move { ana.next().await })).await;
        if let Some(Ok(Message::Binary(frame))) = answer {
            break frame;
        }
        // The manual clock was faster than Ana's socket, so her answer was also dropped as stalled.
    };
    let payload = Envelope::decode(frame).unwrap().payload;
    assert!(matches!(payload, Some(Payload::DmHistoryResponse(page)) if !page.messages.is_empty()));
    drop(silent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unread_answer_is_dropped_for_a_request_that_waits() {
    // The budget of the whole process is one answer.
    let world = World::new(Options {
        answer_bytes: 12 << 20,
        patience: FOREVER,
        ping_interval: FOREVER,
        ..options()
    })
    .await;
    let silent = world.ask(ANA).await;
    // The server has started to write the answer.
    silent.readable().await.unwrap();
    assert!(world.api.answers.unread_bytes() > 1 << 20);
    let answer = world.passing_time_until(tokio::spawn(read(world.ask(BO).await))).await;
    assert_eq!(answer.matches("encrypted_payload").count(), MESSAGES, "{}", &answer[..100]);
    // The first connection is still open, and its answer is incomplete.
    let cut = read(silent).await;
    assert!(cut.starts_with("HTTP/1.1 200 OK") && !cut.ends_with('}'), "{} bytes", cut.len());
}
